import { InvalidArgumentError } from 'commander';

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** `20s`, `1.5m`, `250ms` → milliseconds. */
export function parseDurationMs(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text);
  const unit = UNITS_MS[match?.[2] ?? ''];
  if (match === null || unit === undefined)
    throw new InvalidArgumentError('Write a duration such as 20s, 500ms or 2m.');
  return Number(match[1]) * unit;
}

export function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535) throw new InvalidArgumentError('Write a port between 0 and 65535.');
  return port;
}

export function parseCount(text: string): number {
  const count = Number(text);
  if (!/^\d{1,6}$/.test(text) || count < 1) throw new InvalidArgumentError('Write a whole number of at least 1.');
  return count;
}

export interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

/** `127.0.0.1:18000`, `[::1]:18000`, `control.local:18000`. */
export function parseHostAndPort(text: string): HostAndPort {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]\s/]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > 65_535) throw new InvalidArgumentError('Write host:port, such as 127.0.0.1:18000.');
  return { host, port };
}

/** Several `host:port`, separated by commas, in order of preference. */
export function parseHostAndPorts(text: string): readonly HostAndPort[] {
  return text.split(',').map((part) => parseHostAndPort(part.trim()));
}

export function parseHttpUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new InvalidArgumentError('Write a URL such as http://127.0.0.1:8500.');
  }
  return text.replace(/\/+$/, '');
}
