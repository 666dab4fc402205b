/** One call of a sample service to another, through its sidecar, and what became of it. */
import { Agent, type IncomingHttpHeaders, request } from 'node:http';

/** Set by a service on errors of its own, so that a failure of the mesh is never mistaken for one. */
export const APP_ERROR_HEADER = 'x-demo-app-error';

/** What a service passes on from a request to the calls it causes: that, and only that, ties a trace together. */
const PROPAGATED = ['traceparent', 'tracestate', 'baggage', 'x-request-id'];

export type CallResult =
  | { readonly kind: 'ok' }
  /** A service said so itself. */
  | { readonly kind: 'app-error'; readonly service: string }
  /** Everything else: no connection, no answer in time, an answer of the mesh's own. */
  | { readonly kind: 'failed'; readonly reason: string };

export interface Call {
  readonly port: number;
  readonly path: string;
  /** For the Host header: what a user's client would put there. */
  readonly service: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

const MAX_SOCKETS = 256;
const MAX_REASON_CHARS = 200;

export function createCallAgent(): Agent {
  return new Agent({ keepAlive: true, maxSockets: MAX_SOCKETS, maxFreeSockets: 64 });
}

/** Never rejects. */
export function callUpstream(agent: Agent, call: Call): Promise<CallResult> {
  return new Promise((resolve) => {
    const failed = (reason: string): void => resolve({ kind: 'failed', reason: `${call.service}: ${reason}` });
    const signal = AbortSignal.timeout(call.timeoutMs);
    const outgoing = request({
      agent,
      host: '127.0.0.1',
      port: call.port,
      path: call.path,
      headers: { ...call.headers, host: call.service },
      signal,
    });
    outgoing.on('error', (error) => failed(signal.aborted ? `no answer within ${call.timeoutMs} ms` : error.message));
    outgoing.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        if (text.length < MAX_REASON_CHARS) text += chunk.slice(0, MAX_REASON_CHARS - text.length);
      });
      response.on('error', (error) => failed(error.message));
      response.on('end', () => {
        const status = response.statusCode ?? 0;
        const appError = response.headers[APP_ERROR_HEADER];
        if (status >= 200 && status <= 299) resolve({ kind: 'ok' });
        else if (typeof appError === 'string') resolve({ kind: 'app-error', service: appError });
        else failed(`${status} ${text}`);
      });
    });
    outgoing.end();
  });
}

export function propagatedHeaders(incoming: IncomingHttpHeaders): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const name of PROPAGATED) {
    const value = incoming[name];
    if (typeof value === 'string') headers[name] = value;
  }
  return headers;
}
