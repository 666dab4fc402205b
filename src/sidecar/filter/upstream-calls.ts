import type { HeaderFields } from '../../http/header-fields.ts';

/** One request of a filter's own, to a cluster: made once, whole, and answered whole. */
export interface UpstreamCallRequest {
  readonly clusterName: string;
  readonly method: string;
  readonly path: string;
  readonly authority: string;
  /** Flat pairs: lower-case name, value, … Those that cannot be written fail the call. */
  readonly pairs: readonly string[];
  readonly body: Uint8Array;
  readonly timeoutMs: number;
  /** Only HTTP/2 carries it; without it the cluster's own protocol decides. */
  readonly isGrpc: boolean;
}

export interface UpstreamCallAnswer {
  readonly kind: 'answered';
  readonly status: number;
  readonly fields: HeaderFields;
  readonly trailers: HeaderFields | undefined;
  readonly body: Buffer;
}

export type UpstreamCallOutcome =
  | UpstreamCallAnswer
  | { readonly kind: 'failed'; readonly detail: string; readonly isTimeout: boolean };

/** A call under way. Cancelling one that is over does nothing. */
export interface UpstreamCall {
  cancel(): void;
}

/** How filters ask others: through the worker's own clusters, with their limits, pools and statistics. */
export interface UpstreamCalls {
  /** `onOutcome` comes once, perhaps before this returns, and not after cancel(). */
  start(request: UpstreamCallRequest, onOutcome: (outcome: UpstreamCallOutcome) => void): UpstreamCall;
}
