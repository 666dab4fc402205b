import { UsageError } from './usage-error.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** How Consul is reached, as Consul's own tools read it. */
export interface ConsulSettings {
  readonly addresses: readonly string[];
  readonly token: string | undefined;
  readonly tokenFile: string | undefined;
  readonly tls: {
    readonly caFile: string | undefined;
    readonly caFolder: string | undefined;
    readonly certificateFile: string | undefined;
    readonly keyFile: string | undefined;
    readonly serverName: string | undefined;
    readonly verify: boolean;
  };
  readonly namespace: string | undefined;
  readonly partition: string | undefined;
}

const DEFAULT_CONSUL = 'http://127.0.0.1:8500';

/** Option first, then `CONSUL_HTTP_ADDR` (with `CONSUL_HTTP_SSL`), then http://127.0.0.1:8500. */
export function consulSettings(option: string | undefined, environment: Environment): ConsulSettings {
  const read = (name: string): string | undefined => nonEmpty(environment[name]);
  const text = option ?? read('CONSUL_HTTP_ADDR') ?? DEFAULT_CONSUL;
  const scheme = isTrue('CONSUL_HTTP_SSL', environment, false) ? 'https' : 'http';
  return {
    addresses: text.split(',').map((part) => consulUrl(part, scheme)),
    token: read('CONSUL_HTTP_TOKEN'),
    tokenFile: read('CONSUL_HTTP_TOKEN_FILE'),
    tls: {
      caFile: read('CONSUL_CACERT'),
      caFolder: read('CONSUL_CAPATH'),
      certificateFile: read('CONSUL_CLIENT_CERT'),
      keyFile: read('CONSUL_CLIENT_KEY'),
      serverName: read('CONSUL_TLS_SERVER_NAME'),
      verify: isTrue('CONSUL_HTTP_SSL_VERIFY', environment, true),
    },
    namespace: read('CONSUL_NAMESPACE'),
    partition: read('CONSUL_PARTITION'),
  };
}

function consulUrl(part: string, scheme: 'http' | 'https'): string {
  const trimmed = part.trim().replace(/\/+$/, '');
  const url = trimmed.includes('://') ? trimmed : `${scheme}://${trimmed}`;
  if (/^https?:\/\//.test(url) && URL.canParse(url)) return url;
  throw new UsageError(`--consul: '${part}' is not an address; write a URL such as ${DEFAULT_CONSUL}`);
}

/** The `OTEL_*` variables, and nothing else of the environment. */
export function otelEnvironment(environment: Environment): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (name.startsWith('OTEL_') && value !== undefined && value !== '') found[name] = value;
  }
  return found;
}

/** The words that Go takes for true and false, which is how Consul's tools read them. */
function isTrue(name: string, environment: Environment, otherwise: boolean): boolean {
  const text = nonEmpty(environment[name]);
  if (text === undefined) return otherwise;
  if (/^(?:1|t|true)$/i.test(text)) return true;
  if (/^(?:0|f|false)$/i.test(text)) return false;
  throw new UsageError(`${name}: '${text}' is neither true nor false`);
}

function nonEmpty(value: string | undefined): string | undefined {
  return value === undefined || value === '' ? undefined : value;
}
