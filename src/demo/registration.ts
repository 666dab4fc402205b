/** Talking to Consul's HTTP API as any service of a user would: plain requests, nothing of the mesh. */

export interface Registration {
  readonly name: string;
  readonly instance: string;
  readonly port: number;
  readonly sidecarPort: number;
  readonly upstreams: readonly { readonly name: string; readonly localPort: number }[];
  readonly checkIntervalMs: number;
}

const REQUEST_TIMEOUT_MS = 3_000;
const MAX_BODY_CHARS = 16_384;

/** A service with a health check and a sidecar beside it, in the words of Consul's documentation. */
export function registrationBody(registration: Registration): unknown {
  const { name, instance, port, sidecarPort, upstreams, checkIntervalMs } = registration;
  const interval = `${checkIntervalMs}ms`;
  return {
    name,
    id: instance,
    address: '127.0.0.1',
    port,
    meta: { demo: 'weft' },
    check: { http: `http://127.0.0.1:${port}/health`, interval, timeout: '1s' },
    connect: {
      sidecar_service: {
        port: sidecarPort,
        checks: [
          { name: 'sidecar listens', tcp: `127.0.0.1:${sidecarPort}`, interval, timeout: '1s' },
          { name: `alias of ${instance}`, AliasService: instance },
        ],
        proxy: {
          upstreams: upstreams.map((upstream) => ({
            destination_name: upstream.name,
            local_bind_port: upstream.localPort,
          })),
        },
      },
    },
  };
}

export async function register(registryUrl: string, registration: Registration, signal?: AbortSignal): Promise<void> {
  await askConsul(registryUrl, 'PUT', '/v1/agent/service/register', registrationBody(registration), signal);
}

export async function deregister(registryUrl: string, instance: string): Promise<void> {
  await askConsul(registryUrl, 'PUT', `/v1/agent/service/deregister/${encodeURIComponent(instance)}`);
}

/** The parsed answer, undefined for an empty one. Rejects with status and text where Consul refuses. */
export async function askConsul(
  registryUrl: string,
  method: 'GET' | 'PUT' | 'DELETE',
  path: string,
  body?: unknown,
  signal?: AbortSignal,
): Promise<unknown> {
  const timeout = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
  const response = await fetch(`${registryUrl}${path}`, {
    method,
    signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  }).catch((error: unknown) => {
    throw new Error(`Consul at ${registryUrl} does not answer: ${causeOf(error)}`, { cause: error });
  });
  const text = await response.text();
  if (!response.ok)
    throw new Error(`Consul at ${registryUrl}: ${method} ${path}: ${response.status} ${text.slice(0, MAX_BODY_CHARS)}`);
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** `fetch` says only that it failed; why stands in the cause. */
function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
