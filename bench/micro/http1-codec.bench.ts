/**
 * Cost of one HTTP/1.1 head through the codec: decode, then encode with the edits a sidecar makes.
 * `node bench/micro/http1-codec.bench.ts [--json]`.
 */

import type { RequestHead, ResponseHead } from '../../src/http/head.ts';
import { HeaderEdits } from '../../src/http/header-edits.ts';
import {
  DEFAULT_HTTP1_LIMITS,
  encodeRequestHead,
  encodeResponseHead,
  Http1RequestDecoder,
  Http1ResponseDecoder,
} from '../../src/http/http1/http1.ts';
import { measure, report } from './measure.ts';

const MESSAGES_PER_ROUND = 30_000;

const REQUEST_FIELDS = [
  'Host: orders.example:8080',
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36',
  'Accept: application/json, text/plain, */*',
  'Accept-Encoding: gzip, deflate, br',
  'Accept-Language: en-GB,en;q=0.9',
  'Connection: keep-alive',
  'X-Request-Id: 7f2b1a9c-55aa-4c1e-9d3f-0f1e2d3c4b5a',
  'Cookie: session=0123456789abcdef0123456789abcdef',
];
const RESPONSE_FIELDS = [
  'Content-Type: application/json; charset=utf-8',
  'Cache-Control: no-store',
  'Date: Sun, 22 Nov 2026 21:00:00 GMT',
  'Connection: keep-alive',
  'Keep-Alive: timeout=5',
  'Content-Length: 0',
];

const output = Buffer.alloc(16 * 1024);
const ignore = (): void => undefined;

interface Case {
  readonly name: string;
  run(): void;
}

function requestCase(name: string, encode: (head: RequestHead, edits: HeaderEdits) => string | undefined): Case {
  // Each message differs, as real ones do: nothing may be answered from memory of the last.
  const messages = Array.from({ length: 64 }, (_, index) =>
    Buffer.from(`GET /orders/${1000 + index}/items?page=${index} HTTP/1.1\r\n${REQUEST_FIELDS.join('\r\n')}\r\n\r\n`),
  );
  const edits = new HeaderEdits();
  const sink = {
    onRequestHead(head: RequestHead): void {
      const text = encode(head, edits);
      if (text !== undefined) output.write(text, 0, 'latin1');
    },
    onRequestBody: ignore,
    onRequestTrailers: ignore,
    onRequestEnd: ignore,
  };
  const decoder = new Http1RequestDecoder(sink, DEFAULT_HTTP1_LIMITS);
  let next = 0;
  const run = (): void => {
    const message = messages[next++ & 63] as Buffer;
    decoder.decode(message, 0, message.length);
  };
  return { name, run };
}

function responseCase(name: string, encode: (head: ResponseHead, edits: HeaderEdits) => string | undefined): Case {
  const message = Buffer.from(`HTTP/1.1 200 OK\r\n${RESPONSE_FIELDS.join('\r\n')}\r\n\r\n`);
  const edits = new HeaderEdits();
  const sink = {
    onInformational: ignore,
    onResponseHead(head: ResponseHead): void {
      const text = encode(head, edits);
      if (text !== undefined) output.write(text, 0, 'latin1');
    },
    onResponseBody: ignore,
    onResponseTrailers: ignore,
    onResponseEnd: ignore,
  };
  const decoder = new Http1ResponseDecoder(sink, DEFAULT_HTTP1_LIMITS);
  const run = (): void => {
    decoder.expect('GET');
    decoder.decode(message, 0, message.length);
  };
  return { name, run };
}

function withEdits(head: RequestHead, edits: HeaderEdits): string {
  edits.reset();
  edits.setChecked(head.fields, 'x-request-id', '7f2b1a9c-55aa-4c1e-9d3f-0f1e2d3c4b5b');
  edits.addChecked('traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01');
  edits.addChecked('x-forwarded-proto', 'http');
  return encodeRequestHead(head, edits, head, 0, { keepAlive: true, upgrade: '' });
}

const cases: readonly Case[] = [
  requestCase('request: decode', () => undefined),
  requestCase('request: decode, encode as it came, write to a buffer', (head, edits) => {
    edits.reset();
    return encodeRequestHead(head, edits, head, 0, { keepAlive: true, upgrade: '' });
  }),
  requestCase('request: decode, encode with 1 replaced and 2 added fields, write', withEdits),
  responseCase('response: decode', () => undefined),
  responseCase('response: decode, encode, write', (head, edits) => {
    edits.reset();
    return encodeResponseHead(head, edits, { status: head.status, version: 11, keepAlive: true, bodyLength: 0 });
  }),
];

function run(one: Case): void {
  for (let message = 0; message < MESSAGES_PER_ROUND; message += 1) one.run();
}

report(
  'http1-codec',
  cases.map((one) => ({ name: one.name, ...measure(() => run(one), MESSAGES_PER_ROUND) })),
);
