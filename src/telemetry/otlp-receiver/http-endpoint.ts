import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { keepRequest } from './keep-request.ts';
import { type ExportRequest, traceService } from './otlp-messages.ts';
import type { TraceStore } from './trace-store.ts';

const MAX_BODY_BYTES = 16 * 1_024 * 1_024;
const MAX_LISTED_TRACES = 200;
const DEFAULT_LISTED_TRACES = 20;
const REQUEST_TIMEOUT_MS = 10_000;

const unzip = promisify(gunzip);

/** OTLP/HTTP at `/v1/traces`, and `/api/traces`, `/api/traces/<id>`, `/api/stats` for readers. */
export function createHttpEndpoint(store: TraceStore): Server {
  const decode = traceService()['Export']?.requestDeserialize;
  if (decode === undefined) throw new TypeError('the OTLP descriptors define no Export');
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://receiver');
    if (pathname === '/v1/traces') {
      receive(store, (body) => decode(body) as ExportRequest, request, response).catch((error: unknown) => {
        answer(response, 400, { message: `not an OTLP request: ${String(error)}` });
      });
    } else if (request.method !== 'GET' && request.method !== 'HEAD') {
      answer(response, 405, { message: `${pathname} is read with GET` });
    } else if (pathname === '/api/stats') {
      answer(response, 200, store.stats());
    } else if (pathname === '/api/traces') {
      answer(response, 200, { traces: store.recent(listLimit(searchParams.get('limit'))) });
    } else if (pathname.startsWith('/api/traces/')) {
      const spans = store.spans(pathname.slice('/api/traces/'.length));
      answer(response, spans.length === 0 ? 404 : 200, { spans });
    } else {
      answer(response, 404, { message: 'paths here: POST /v1/traces, GET /api/traces, /api/traces/<id>, /api/stats' });
    }
  });
  return server;
}

async function receive(
  store: TraceStore,
  decode: (body: Buffer) => ExportRequest,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.method !== 'POST') return answer(response, 405, { message: '/v1/traces is written with POST' });
  const type = request.headers['content-type']?.split(';')[0]?.trim();
  if (type !== 'application/x-protobuf') {
    return answer(response, 415, { message: `content-type ${type ?? ''} is not taken; send application/x-protobuf` });
  }
  const body = await readBody(request);
  if (body === undefined) {
    request.resume();
    return answer(response, 413, { message: `more than ${MAX_BODY_BYTES} bytes` });
  }
  const zipped = request.headers['content-encoding'] === 'gzip';
  keepRequest(store, decode(zipped ? await unzip(body, { maxOutputLength: MAX_BODY_BYTES }) : body));
  // An empty ExportTraceServiceResponse is zero bytes.
  response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
}

async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    const bytes = Buffer.from(chunk as Uint8Array);
    length += bytes.length;
    if (length > MAX_BODY_BYTES) return undefined;
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}

function listLimit(text: string | null): number {
  const limit = Number(text ?? DEFAULT_LISTED_TRACES);
  return Number.isInteger(limit) && limit > 0 ? Math.min(limit, MAX_LISTED_TRACES) : DEFAULT_LISTED_TRACES;
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  response
    .writeHead(status, {
      'content-type': 'application/json; charset=utf-8',
      'content-length': Buffer.byteLength(text),
      'x-content-type-options': 'nosniff',
    })
    .end(text);
}
