import { UsageError } from './usage-error.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** How Consul is reached, as Consul's own tools read it. */
export interface ConsulSettings {
  readonly addresses: readonly string[];
  readonly token: string | undefined;
}

/** Option first, then `CONSUL_HTTP_ADDR` (with `CONSUL_HTTP_SSL`), then http://127.0.0.1:8500. */
export function consulSettings(option: string | undefined, environment: Environment): ConsulSettings {
  const text = option ?? environment['CONSUL_HTTP_ADDR'] ?? 'http://127.0.0.1:8500';
  const scheme = isTrue(environment['CONSUL_HTTP_SSL']) ? 'https' : 'http';
  const addresses = text.split(',').map((part) => {
    const trimmed = part.trim().replace(/\/+$/, '');
    const url = trimmed.includes('://') ? trimmed : `${scheme}://${trimmed}`;
    if (!/^https?:\/\//.test(url) || !URL.canParse(url)) {
      throw new UsageError(`--consul: '${part}' is not an address; write a URL such as http://127.0.0.1:8500`);
    }
    return url;
  });
  return {
    addresses,
    token: nonEmpty(environment['CONSUL_HTTP_TOKEN']),
  };
}

/** The `OTEL_*` variables, and nothing else of the environment. */
export function otelEnvironment(environment: Environment): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (name.startsWith('OTEL_') && value !== undefined && value !== '') found[name] = value;
  }
  return found;
}

function isTrue(value: string | undefined): boolean {
  return value !== undefined && /^(?:1|t|true)$/i.test(value);
}

function nonEmpty(value: string | undefined): string | undefined {
  return value === undefined || value === '' ? undefined : value;
}
