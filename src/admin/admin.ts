/**
 * The admin server of one proxy: Envoy's admin paths over HTTP. It sees the proxy through the views it declares and acts
 * through four actions; it does not know what implements them, holds no state of its own, and is not on the data path,
 * so it uses node:http as it is. It trusts whoever can reach its address, as Envoy's does: bind it to loopback.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Clock, systemClock } from '../base/clock.ts';
import { type Address, addressText } from '../resource/address.ts';
import { ADMIN_PATHS, type PathContext } from './admin-paths.ts';
import type { AdminActions, AdminViews } from './admin-views.ts';
import { type Answer, textAnswer } from './answer.ts';
import { helpAnswer, indexAnswer } from './index-page.ts';
import { refusal } from './request-guard.ts';

export type * from './admin-views.ts';

export interface AdminOptions {
  readonly address: Address;
  readonly views: AdminViews;
  readonly actions: AdminActions;
  /** Names besides IP addresses and localhost under which people reach this server. */
  readonly allowedHosts?: readonly string[];
  /** Told of a view that failed; the request is answered 500. */
  readonly failed?: (path: string, error: unknown) => void;
  readonly clock?: Clock;
}

export interface Admin {
  /** As bound: port 0 resolved. */
  readonly address: Address;
  stop(): Promise<void>;
}

const MAX_CONNECTIONS = 128;
const MAX_BODY_BYTES = 65_536;
const MAX_HEAD_BYTES = 16_384;
const REQUEST_TIMEOUT_MS = 10_000;
const SOCKET_TIMEOUT_MS = 30_000;

/** Listens at the address; rejects with the address and what to do where it cannot. */
export async function startAdmin(options: AdminOptions): Promise<Admin> {
  const allowedHosts = new Set((options.allowedHosts ?? []).map((name) => name.toLowerCase()));
  if (options.address.kind === 'ip') allowedHosts.add(options.address.host.toLowerCase());
  const server = createServer(
    { requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS, maxHeaderSize: MAX_HEAD_BYTES },
    (request, response) => serve(options, allowedHosts, request, response),
  );
  server.maxConnections = MAX_CONNECTIONS;
  server.setTimeout(SOCKET_TIMEOUT_MS);
  await listen(server, options.address);
  server.on('error', (error) => options.failed?.('accepting connections', error));
  return { address: boundAddress(server, options.address), stop: () => close(server) };
}

function serve(
  options: AdminOptions,
  allowedHosts: ReadonlySet<string>,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  discardBody(request, response);
  const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
  let answer: Answer;
  try {
    answer = answerOf(options, allowedHosts, request, path);
  } catch (error) {
    options.failed?.(path, error);
    answer = textAnswer(`${path} failed; the log says why\n`, 500);
  }
  send(answer, request, response).catch((error: unknown) => {
    // Most often the reader left. A view that failed between pieces has already sent a head: cutting is all that is left.
    response.destroy();
    if (!(error instanceof Error && 'code' in error)) options.failed?.(path, error);
  });
}

function answerOf(
  options: AdminOptions,
  allowedHosts: ReadonlySet<string>,
  request: IncomingMessage,
  path: string,
): Answer {
  const method = request.method ?? 'GET';
  const reason = refusal(request.headers, method, allowedHosts);
  if (reason !== undefined) return textAnswer(`${reason}\n`, 403);
  const reading = method === 'GET' || method === 'HEAD';
  if (path === '/' && reading) return indexAnswer(ADMIN_PATHS, `weft ${options.views.serverInfo().version}`);
  if (path === '/help' && reading) return helpAnswer(ADMIN_PATHS);
  const found = ADMIN_PATHS.find((each) => each.path === path);
  if (found === undefined) return helpAnswer(ADMIN_PATHS, 404);
  if (found.method === 'POST' ? method !== 'POST' : !reading) {
    return textAnswer(`Method Not Allowed: ${path} takes ${found.method}\n`, 405);
  }
  return found.answer(contextOf(options, request));
}

function contextOf(options: AdminOptions, request: IncomingMessage): PathContext {
  const { views, actions, clock = systemClock } = options;
  const query = (request.url ?? '').split('?').slice(1).join('?');
  return { views, actions, query: new URLSearchParams(query), nowMs: clock.wallMs() };
}

/** No path takes a body; one that comes is read away up to a bound, then the connection is closed. */
function discardBody(request: IncomingMessage, response: ServerResponse): void {
  let bytes = 0;
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= MAX_BODY_BYTES) return;
    response.destroy();
    request.destroy();
  });
  request.on('error', () => {});
}

async function send(answer: Answer, request: IncomingMessage, response: ServerResponse): Promise<void> {
  response.writeHead(answer.status, {
    'content-type': answer.contentType,
    'cache-control': 'no-cache, max-age=0',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
  });
  if (request.method === 'HEAD') response.end();
  else if (typeof answer.body === 'string') response.end(answer.body);
  else await pipeline(Readable.from(answer.body, { objectMode: true }), response);
}

function listen(server: Server, address: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    const refused = (cause: NodeJS.ErrnoException): void => {
      const fix =
        cause.code === 'EADDRINUSE'
          ? 'another process has it; choose another with --admin or stop that process'
          : 'choose another with --admin';
      reject(new Error(`admin server cannot listen on ${addressText(address)}: ${cause.message}; ${fix}`, { cause }));
    };
    server.once('error', refused);
    const listening = (): void => {
      server.off('error', refused);
      resolve();
    };
    if (address.kind === 'ip') server.listen(address.port, address.host, listening);
    else server.listen(address.path, listening);
  });
}

function boundAddress(server: Server, address: Address): Address {
  const bound = server.address();
  if (address.kind === 'pipe' || bound === null || typeof bound === 'string') return address;
  return { kind: 'ip', host: address.host, port: bound.port };
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
