/** Why an exchange with Consul gave no answer. `status` is HTTP's; `retryAfterMs` is set where Consul said when to come back. */
export type ConsulFailure =
  | { readonly kind: 'unreachable' }
  | { readonly kind: 'deadline' }
  | { readonly kind: 'status'; readonly status: number; readonly retryAfterMs: number | undefined }
  | { readonly kind: 'noLeader' }
  | { readonly kind: 'tooLarge' }
  | { readonly kind: 'garbage' };

export class ConsulError extends Error {
  readonly failure: ConsulFailure;

  constructor(failure: ConsulFailure, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'ConsulError';
    this.failure = failure;
  }
}

/** Most of an error body a message carries: enough for Consul's one-line reasons, too little to flood a log. */
const MAX_QUOTED_BODY_CHARS = 200;

/** What Consul's refusal means and what to do about it. */
export function statusError(where: string, status: number, body: string, retryAfter: string | undefined): ConsulError {
  const said = body.trim().slice(0, MAX_QUOTED_BODY_CHARS);
  const seconds = Number(retryAfter);
  const retryAfterMs =
    retryAfter !== undefined && Number.isFinite(seconds) && seconds >= 0 ? seconds * 1_000 : undefined;
  const quoted = said === '' ? '' : ` (${said})`;
  return new ConsulError(
    { kind: 'status', status, retryAfterMs },
    `${where}: HTTP ${status}${quoted}${adviceFor(status)}`,
  );
}

function adviceFor(status: number): string {
  if (status === 403) return '; give the control server a token with service:read, node:read and agent:read';
  if (status === 429)
    return '; Consul limits this client: raise limits.http_max_conns_per_client or lower the watch budget';
  return '';
}
