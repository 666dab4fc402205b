import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** What a sample application does with each request. Plain data, so that it can be told to one in another process. */
export interface OriginOptions {
  readonly service: string;
  readonly instance: string;
  /** 0 takes a free one. */
  readonly port?: number;
  /** Local ports called at the same time for each request, before it is answered. */
  readonly calls?: readonly number[];
  readonly delayMs?: number;
}

/** The body of each answer. */
export interface OriginAnswer {
  readonly service: string;
  readonly instance: string;
  /** The request's `x-nonce`, so that an answer to somebody else's request is found out. */
  readonly nonce: string;
  readonly method: string;
  readonly url: string;
  /** Each field in order of arrival, values of one name as a list. */
  readonly headers: Readonly<Record<string, readonly string[]>>;
  readonly bodyBytes: number;
  readonly callStatuses: readonly number[];
}

export interface Origin {
  readonly port: number;
  /** Requests that arrived so far. */
  readonly arrived: number;
  stop(): Promise<void>;
}

/** What an application passes on from a request to the calls it causes; it knows nothing else of tracing. */
const PASSED_ON = ['traceparent', 'tracestate', 'x-request-id', 'x-nonce'];

/** An ordinary Node HTTP server that says what it received. */
export async function startOrigin(options: OriginOptions): Promise<Origin> {
  const agent = new Agent({ keepAlive: true });
  let arrived = 0;
  const server = createServer((incoming, response) => {
    arrived++;
    response.on('error', () => undefined);
    answer(options, agent, incoming, response).catch((error: unknown) => response.destroy(asError(error)));
  });
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    get arrived() {
      return arrived;
    },
    stop: () => stop(server, agent),
  };
}

async function answer(
  { service, instance, calls = [], delayMs = 0 }: OriginOptions,
  agent: Agent,
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  let bodyBytes = 0;
  for await (const chunk of incoming) bodyBytes += (chunk as Buffer).length;
  if (delayMs > 0) await delay(delayMs);
  const callStatuses = await Promise.all(calls.map((port) => call(agent, port, incoming)));
  const body: OriginAnswer = {
    service,
    instance,
    nonce: String(incoming.headers['x-nonce'] ?? ''),
    method: incoming.method ?? '',
    url: incoming.url ?? '',
    headers: headerLists(incoming.rawHeaders),
    bodyBytes,
    callStatuses,
  };
  response.writeHead(200, { 'content-type': 'application/json', 'x-origin': instance });
  response.end(JSON.stringify(body));
}

function call(agent: Agent, port: number, cause: IncomingMessage): Promise<number> {
  const headers: Record<string, string> = {};
  for (const name of PASSED_ON) {
    const value = cause.headers[name];
    if (typeof value === 'string') headers[name] = value;
  }
  return new Promise((resolve, reject) => {
    const outgoing = request({ agent, host: '127.0.0.1', port, path: '/', headers }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode ?? 0));
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}

function headerLists(raw: readonly string[]): Record<string, string[]> {
  const lists: Record<string, string[]> = {};
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at]?.toLowerCase() ?? '';
    lists[name] = [...(lists[name] ?? []), raw[at + 1] ?? ''];
  }
  return lists;
}

async function stop(server: Server, agent: Agent): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  agent.destroy();
  await closed;
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
