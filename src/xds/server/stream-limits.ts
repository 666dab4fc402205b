/** Bounds on what one stream may ask for; a stream that passes one is ended alone, with a status that names it. */
export interface StreamLimits {
  readonly maxTypes: number;
  /** Subscribed names of all types together. */
  readonly maxNames: number;
  /** Characters of those names together: what they cost in memory. */
  readonly maxNameCharacters: number;
  readonly maxNameLength: number;
  /** Requests read within a second; those beyond wait in the socket. */
  readonly maxRequestsPerSecond: number;
  /** How long the next type waits for the answer to the one before. */
  readonly acknowledgeTimeoutMs: number;
  /** How long a stream may hold a place among those that are being given their first state. */
  readonly firstStateTimeoutMs: number;
}

export const DEFAULT_STREAM_LIMITS: StreamLimits = {
  // The xDS v3 APIs number about a dozen.
  maxTypes: 32,
  // Envoy meshes of 16 000 clusters exist; this leaves room for their endpoints and routes.
  maxNames: 100_000,
  maxNameCharacters: 8 * 1024 * 1024,
  maxNameLength: 2048,
  // A sidecar's first state takes some ten.
  maxRequestsPerSecond: 500,
  acknowledgeTimeoutMs: 10_000,
  firstStateTimeoutMs: 2_000,
};

/** What is out of bounds in a list of names, as text for the client; undefined when nothing is. */
export function nameListFault(
  field: string,
  names: Iterable<string>,
  count: number,
  limits: StreamLimits,
): string | undefined {
  if (count > limits.maxNames) return `${field}: ${count} names, at most ${limits.maxNames} are served on one stream`;
  for (const name of names) {
    if (name.length > limits.maxNameLength) {
      return `${field}: a name of ${name.length} characters, at most ${limits.maxNameLength} are allowed`;
    }
  }
  return undefined;
}
