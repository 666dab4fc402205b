import type { EncodedResource } from '../encoded-resource.ts';
import type { Answer, DeliveryTracker } from './delivery.ts';
import type { StepScope } from './push-order.ts';
import type { TypeSnapshot } from './snapshot-source.ts';

/**
 * What one stream wants of one type and what it has been sent: the part in which SotW and delta differ. Knows no other type, no stream
 * and no clock; the session asks it for the next response when the order of pushes allows one.
 */
export interface TypeSubscription<Request> {
  readonly typeUrl: string;
  readonly delivery: DeliveryTracker;
  readonly wanted: WantedNames;
  /** Takes a request's answer and its subscription changes. */
  onRequest(request: Request): Answer;
  /** What should be sent now, or undefined when the client is up to date within that scope. */
  next(snapshot: TypeSnapshot, scope: StepScope): Push | undefined;
  /** Whether nothing of this state of the type is left to send. */
  isSettled(snapshot: TypeSnapshot): boolean;
  /** What the client was sent and what is still so. */
  held(snapshot: TypeSnapshot): readonly EncodedResource[];
  /** Which version of a name the client was sent; undefined for none. */
  heldVersion(name: string): string | undefined;
  /** Sends these again if they are wanted, though the client has them. */
  resend(names: Iterable<string>): void;
}

/** For views: what is asked for. */
export interface WantedNames {
  readonly isWildcard: boolean;
  readonly names: ReadonlySet<string>;
  /** Of all names together. */
  readonly characters: number;
}

/** One response before it has a nonce. */
export interface Push {
  readonly resources: readonly EncodedResource[];
  /** Those of the resources that are new or changed for this client. */
  readonly changed: readonly EncodedResource[];
  /** Delta only: names that are gone or never were. */
  readonly removedNames: readonly string[];
  /** Names asked for that are not there, told once. */
  readonly missingNames: readonly string[];
}

/** Responses are cut at about this size where the protocol allows parts; the common gRPC receive limit is 4 MiB. */
export const MAX_PARTIAL_RESPONSE_BYTES = 2 * 1024 * 1024;
