import type { AuthorizationAnswer } from '../../../resource/authorization-message.ts';
import type { FilterStream } from '../filter-stream.ts';
import type { UpstreamCall } from '../upstream-calls.ts';

/** What came of asking. */
export type AuthorizationOutcome =
  | AuthorizationAnswer
  /** Nobody has decided. */
  | { readonly kind: 'error'; readonly detail: string; readonly isTimeout: boolean };

/** The part of a body that the service is shown. */
export interface SeenBody {
  readonly bytes: Buffer;
  readonly isPartial: boolean;
}

/** An authorization service, whatever it speaks. */
export interface AuthorizationClient {
  /** `onOutcome` comes once, perhaps before this returns, and not after cancel(). */
  ask(
    stream: FilterStream,
    body: SeenBody | undefined,
    onOutcome: (outcome: AuthorizationOutcome) => void,
  ): UpstreamCall;
}

/** Tells the service whether it sees all of the body. */
export const PARTIAL_BODY_HEADER = 'x-envoy-auth-partial-body';
