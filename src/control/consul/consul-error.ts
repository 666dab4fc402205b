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
  const quoted = said === '' ? '' : ` (${said})`;
  return new ConsulError(
    { kind: 'status', status, retryAfterMs: retryAfterMs(retryAfter) },
    `${where}: HTTP ${status}${quoted}${adviceFor(where, status, said)}`,
  );
}

/** The agent answered, and left out what the token may not read: what is missing is not gone. */
export function filteredError(path: string): ConsulError {
  return new ConsulError(
    { kind: 'status', status: 403, retryAfterMs: undefined },
    `${path}: Consul left rows out that the token may not read${permissionAdvice(path)}`,
  );
}

/** No answer at all, or none that could be understood as HTTP. */
export function unreachableError(where: string, cause: unknown): ConsulError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  return new ConsulError(
    { kind: 'unreachable' },
    `${where}: ${reason}; ${connectionAdvice(where, code, reason)}`,
    cause,
  );
}

/** Seconds, as Consul writes it. */
function retryAfterMs(retryAfter: string | undefined): number | undefined {
  const seconds = Number(retryAfter);
  return retryAfter !== undefined && Number.isFinite(seconds) && seconds >= 0 ? seconds * 1_000 : undefined;
}

function adviceFor(where: string, status: number, said: string): string {
  if (status === 403) return permissionAdvice(where);
  if (status === 429)
    return '; Consul limits this client: raise limits.http_max_conns_per_client or lower the watch budget';
  if (status === 400 && said.includes('HTTP request to an HTTPS server'))
    return '; Consul speaks TLS there: write https://, or set CONSUL_HTTP_SSL=true';
  return '';
}

/** What a token must be allowed for each path; docs/deploy/running-weft.md has the whole policy. */
const PERMISSIONS: readonly (readonly [path: string, permission: string])[] = [
  ['/v1/agent/connect/ca/leaf/', 'service:write on that service'],
  ['/v1/agent/service/', 'service:read on that service'],
  ['/v1/agent/', 'agent:read'],
  ['/v1/connect/intentions/', 'intentions:read on that service'],
  ['/v1/config/service-intentions', 'intentions:read'],
  ['/v1/config/mesh', 'mesh:read'],
  ['/v1/query/', 'query:read on that prepared query, service:read and node:read'],
];

function permissionAdvice(where: string): string {
  const permission = PERMISSIONS.find(([path]) => where.includes(path))?.[1] ?? 'service:read and node:read';
  return `; give the control server's token ${permission} (CONSUL_HTTP_TOKEN; policy in docs/deploy/running-weft.md)`;
}

function connectionAdvice(where: string, code: string, reason: string): string {
  if (/CERT_ALTNAME/.test(code)) return "set CONSUL_TLS_SERVER_NAME to a name in Consul's certificate";
  if (/SELF_SIGNED|UNABLE_TO|CERT_/.test(code))
    return "set CONSUL_CACERT to the authority that signed Consul's certificate";
  if (/wrong version number|packet length too long/i.test(reason))
    return 'Consul does not speak TLS there: write http://, or unset CONSUL_HTTP_SSL';
  // Under TLS 1.3 a server that misses our certificate ends the connection after the handshake, with an alert or without.
  const isClosed = code === 'UND_ERR_SOCKET' || code === 'ECONNRESET';
  if (/alert|certificate required/i.test(reason) || (isClosed && where.startsWith('https:')))
    return 'if Consul demands a certificate of ours, set CONSUL_CLIENT_CERT and CONSUL_CLIENT_KEY';
  return 'is a Consul agent running there?';
}
