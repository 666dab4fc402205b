/** One probe of each kind: ask once, answer once, within its timeout, and stop when told to. */
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { connect } from 'node:net';
import type { CheckProbe } from '../input/check-definition.ts';
import type { CheckStatus } from '../state/catalog-rows.ts';

export interface ProbeResult {
  readonly status: CheckStatus;
  readonly output: string;
}

/** What a failing application writes is for people to read: Consul keeps 4 KiB of it too. */
const MAX_OUTPUT_BYTES = 4096;

export type HttpProbe = Extract<CheckProbe, { kind: 'http' }>;
export type TcpProbe = Extract<CheckProbe, { kind: 'tcp' }>;

/** 2xx passes, 429 warns, everything else is critical. Redirects are not followed. */
export function probeHttp(probe: HttpProbe, signal: AbortSignal): Promise<ProbeResult> {
  return new Promise((resolve) => {
    // As Consul's agents print it: `Get "http://…": dial tcp …`.
    const verb = probe.method.slice(0, 1) + probe.method.slice(1).toLowerCase();
    const critical = (cause: string): void =>
      resolve({ status: 'critical', output: `${verb} "${probe.url}": ${cause}` });
    const ask = probe.url.startsWith('https:') ? requestHttps : requestHttp;
    const combined = AbortSignal.any([signal, AbortSignal.timeout(Math.ceil(probe.timeoutMs))]);
    try {
      const outgoing = ask(probe.url, {
        method: probe.method,
        headers: { 'user-agent': 'Consul Health Check', accept: 'text/plain, text/*, */*', ...copyHeaders(probe) },
        agent: false,
        signal: combined,
      });
      outgoing.on('error', (error) =>
        critical(combined.aborted ? `no answer within ${probe.timeoutMs} ms` : error.message),
      );
      outgoing.on('response', (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          if (text.length < MAX_OUTPUT_BYTES) text += chunk.slice(0, MAX_OUTPUT_BYTES - text.length);
        });
        response.on('error', (error) => critical(error.message));
        response.on('end', () => {
          const code = response.statusCode ?? 0;
          const status = code >= 200 && code <= 299 ? 'passing' : code === 429 ? 'warning' : 'critical';
          resolve({
            status,
            output: `HTTP ${probe.method} ${probe.url}: ${code} ${response.statusMessage ?? ''} Output: ${text}`,
          });
        });
      });
      outgoing.end(probe.body === '' ? undefined : probe.body);
    } catch (cause) {
      critical(cause instanceof Error ? cause.message : String(cause));
    }
  });
}

/** A connection that opens passes. */
export function probeTcp(probe: TcpProbe, signal: AbortSignal): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const colon = probe.target.lastIndexOf(':');
    const host = probe.target.slice(0, colon).replace(/^\[|\]$/g, '');
    const port = Number(probe.target.slice(colon + 1));
    if (port > 65535) {
      resolve({ status: 'critical', output: `dial tcp ${probe.target}: port is above 65535` });
      return;
    }
    const socket = connect({ host: host === '' ? '127.0.0.1' : host, port });
    const finish = (result: ProbeResult): void => {
      signal.removeEventListener('abort', cancel);
      socket.destroy();
      resolve(result);
    };
    const cancel = (): void => finish({ status: 'critical', output: `dial tcp ${probe.target}: cancelled` });
    signal.addEventListener('abort', cancel, { once: true });
    socket.setTimeout(Math.ceil(probe.timeoutMs), () =>
      finish({ status: 'critical', output: `dial tcp ${probe.target}: i/o timeout` }),
    );
    socket.on('connect', () => finish({ status: 'passing', output: `TCP connect ${probe.target}: Success` }));
    socket.on('error', (error) => finish({ status: 'critical', output: `dial tcp ${probe.target}: ${error.message}` }));
  });
}

function copyHeaders(probe: HttpProbe): Record<string, string[]> {
  return Object.fromEntries(Object.entries(probe.headers).map(([name, values]) => [name.toLowerCase(), [...values]]));
}
