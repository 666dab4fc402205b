import type { DeltaRequest, RequestNode, SotwRequest } from '../discovery-requests.ts';
import { encodeDeltaResponse, encodeSotwResponse, type ResponseParts } from '../discovery-responses.ts';
import { DeltaSubscription } from './delta-subscription.ts';
import type { XdsVariant } from './server-state.ts';
import { SotwSubscription } from './sotw-subscription.ts';
import { nameListFault, type StreamLimits } from './stream-limits.ts';
import type { TypeSubscription } from './type-subscription.ts';

/** What every request has, whichever the variant. */
export interface StreamRequest {
  readonly typeUrl: string;
  readonly node: RequestNode | undefined;
  readonly responseNonce: string;
  readonly errorDetail: string | undefined;
}

/** The places in which a SotW and a delta stream differ, as one table each. */
export interface Variant<Request extends StreamRequest> {
  readonly kind: XdsVariant;
  subscription(typeUrl: string): TypeSubscription<Request>;
  encode(parts: ResponseParts): Buffer;
  /** What in the request is out of bounds, as text for the client. */
  fault(request: Request, limits: StreamLimits): string | undefined;
}

export const SOTW: Variant<SotwRequest> = {
  kind: 'sotw',
  subscription: (typeUrl) => new SotwSubscription(typeUrl),
  encode: encodeSotwResponse,
  fault: ({ resourceNames }, limits) => nameListFault('resource_names', resourceNames, resourceNames.length, limits),
};

export const DELTA: Variant<DeltaRequest> = {
  kind: 'delta',
  subscription: (typeUrl) => new DeltaSubscription(typeUrl),
  encode: encodeDeltaResponse,
  fault: ({ subscribe, unsubscribe, initialResourceVersions: held }, limits) => {
    if (subscribe.length === 0 && unsubscribe.length === 0 && held.size === 0) return undefined;
    return (
      nameListFault('resource_names_subscribe', subscribe, subscribe.length, limits) ??
      nameListFault('resource_names_unsubscribe', unsubscribe, unsubscribe.length, limits) ??
      nameListFault('initial_resource_versions', held.keys(), held.size, limits)
    );
  },
};
