import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';

/**
 * Why a request must not be answered, or undefined. A page of some web site can make its reader's browser send requests
 * here; what it cannot do is name us by an address while its own name points at us (DNS rebinding), or hide its origin.
 */
export function refusal(
  headers: IncomingHttpHeaders,
  method: string,
  allowedHosts: ReadonlySet<string>,
): string | undefined {
  const { host, origin } = headers;
  if (host !== undefined && !isAllowedHost(host, allowedHosts)) {
    return `Host ${JSON.stringify(host)} is not this server; use its IP address or localhost`;
  }
  if (method !== 'POST') return undefined;
  if (origin !== undefined && URL.parse(origin)?.host !== host) {
    return 'requests that change something are not taken from other origins';
  }
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') {
    return 'requests that change something are not taken from other sites';
  }
  return undefined;
}

function isAllowedHost(host: string, allowedHosts: ReadonlySet<string>): boolean {
  const name = hostName(host.toLowerCase());
  return name === 'localhost' || isIP(name) !== 0 || allowedHosts.has(name);
}

function hostName(host: string): string {
  const bracketed = /^\[([^\]]*)\](?::\d{1,5})?$/.exec(host);
  if (bracketed !== null) return bracketed[1] ?? '';
  return host.replace(/:\d{1,5}$/, '');
}
