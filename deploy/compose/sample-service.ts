/**
 * A service as anybody might have it, for the Compose file: HTTP on 127.0.0.1, calls to its upstreams at the same time, and
 * not one word about a mesh, except that it passes the trace context on.
 *
 *     NAME=front PORT=9001 CALLS=http://127.0.0.1:9101/,http://127.0.0.1:9102/ node sample-service.ts
 */
import { createServer, type IncomingMessage } from 'node:http';

const PASSED_ON = ['traceparent', 'tracestate', 'x-request-id'];
const CALL_WITHIN_MS = 5_000;

const name = process.env['NAME'] ?? 'sample';
const port = Number(process.env['PORT'] ?? '9000');
const calls = (process.env['CALLS'] ?? '').split(',').filter((url) => url !== '');

const server = createServer((request, response) => {
  request.resume();
  if (request.url === '/health') {
    response.end('ok\n');
    return;
  }
  void answer(request).then(({ status, body }) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(`${JSON.stringify(body)}\n`);
  });
});
server.listen(port, '127.0.0.1', () => process.stdout.write(`${name} listens on 127.0.0.1:${port}\n`));
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
  });
}

async function answer(request: IncomingMessage): Promise<{ readonly status: number; readonly body: object }> {
  const headers = PASSED_ON.flatMap((field) => {
    const value = request.headers[field];
    return typeof value === 'string' ? [[field, value] as [string, string]] : [];
  });
  try {
    const called = await Promise.all(calls.map((url) => call(url, headers)));
    return { status: 200, body: { service: name, called } };
  } catch (error) {
    return { status: 502, body: { service: name, error: error instanceof Error ? error.message : String(error) } };
  }
}

async function call(url: string, headers: [string, string][]): Promise<unknown> {
  const response = await fetch(url, { headers, signal: AbortSignal.timeout(CALL_WITHIN_MS) });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return response.json();
}
