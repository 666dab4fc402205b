import * as grpc from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { httpFilter } from '../../../test/support/extensions.ts';
import { httpConnectionManager } from '../../../test/support/resources.ts';
import type { HttpFilter } from '../../resource/http-connection-manager.ts';
import { UNSAID_HTTP2_OPTIONS } from '../../resource/http2-options.ts';
import { DataPath, RawPeer } from './data-path-fixture.ts';

/** A gRPC server by others' hands behind the sidecar; callers that are none in front of it. */

const HTTP = 'envoy.extensions.filters.http';
const HTTP2 = { kind: 'explicitHttp2', http2: UNSAID_HTTP2_OPTIONS } as const;
const asIs = (bytes: Buffer): Buffer => bytes;
const METHOD = {
  path: '/test.Echo/Unary',
  requestStream: false,
  responseStream: false,
  requestSerialize: asIs,
  requestDeserialize: asIs,
  responseSerialize: asIs,
  responseDeserialize: asIs,
} as const;

let path: DataPath;
let server: grpc.Server;
const peers: RawPeer[] = [];

function echo(call: grpc.ServerUnaryCall<Buffer, Buffer>, answer: grpc.sendUnaryData<Buffer>): void {
  if (call.request.toString() === 'fail') answer({ code: grpc.status.NOT_FOUND, details: 'no such thing' });
  else answer(null, call.request);
}

beforeEach(async () => {
  path = new DataPath();
  server = new grpc.Server();
  server.addService({ unary: METHOD }, { unary: echo });
  const { promise, resolve } = Promise.withResolvers<number>();
  server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (_, port) => resolve(port));
  path.addCluster('web', [await promise], { upstreamProtocol: HTTP2 });
});

afterEach(() => {
  for (const peer of peers.splice(0)) peer.destroy();
  server.forceShutdown();
  path.close();
});

function frame(text: string): Buffer {
  const bytes = Buffer.alloc(5 + text.length);
  bytes.writeUInt32BE(text.length, 1);
  bytes.write(text, 5);
  return bytes;
}

/** Head and body of the answer to a POST, chunks put together. */
async function post(filters: readonly HttpFilter[], contentType: string, body: Buffer): Promise<[string, Buffer]> {
  const port = await path.serve({ httpFilters: [...filters, ...httpConnectionManager().httpFilters] });
  const client = await RawPeer.connect(port);
  peers.push(client);
  client.send(`POST /test.Echo/Unary HTTP/1.1\r\nhost: web\r\ncontent-type: ${contentType}\r\nconnection: close\r\n`);
  client.send(`content-length: ${body.length}\r\n\r\n${body.toString('latin1')}`);
  const answer = await client.ends();
  const at = answer.indexOf('\r\n\r\n') + 4;
  const head = answer.slice(0, at);
  const raw = Buffer.from(answer.slice(at), 'latin1');
  return [head, head.includes('transfer-encoding: chunked') ? dechunked(raw) : raw];
}

function dechunked(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const lineEnd = bytes.indexOf('\r\n', at);
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    if (size === 0) break;
    parts.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
  return Buffer.concat(parts);
}

describe('gRPC-Web', () => {
  const web = [httpFilter('web', `${HTTP}.grpc_web.v3.GrpcWeb`)];

  it('a call in bytes: the trailers are the last frame of the body', async () => {
    const [head, body] = await post(web, 'application/grpc-web+proto', frame('hello'));
    expect(head).toMatch(/^HTTP\/1\.1 200 /);
    expect(head).toContain('content-type: application/grpc-web+proto\r\n');
    expect(body.subarray(0, 10)).toEqual(frame('hello'));
    expect(body.readUInt8(10)).toBe(0x80);
    expect(body.readUInt32BE(11)).toBe(body.length - 15);
    expect(body.toString('latin1', 15)).toContain('grpc-status:0\r\n');
    expect((await path.recordsReach(1)).grpcStatus).toBe(0);
  });

  it('a call in base64, there and back, padded in the middle as browsers send it', async () => {
    const bytes = frame('hello, how are you');
    const text = bytes.toString('base64', 0, 4) + bytes.toString('base64', 4);
    const [head, body] = await post(web, 'application/grpc-web-text', Buffer.from(text));
    expect(head).toContain('content-type: application/grpc-web-text\r\n');
    expect(body.toString('latin1')).toMatch(/^[A-Za-z0-9+/]+={0,2}$/);
    const decoded = Buffer.from(body.toString('latin1'), 'base64');
    expect(decoded.subarray(0, bytes.length)).toEqual(bytes);
    expect(decoded.toString('latin1')).toContain('grpc-status:0\r\n');
  });

  it.each(['a*b=', 'abc', 'ab=c', '===='])('base64 that is none is refused: %s', async (text) => {
    const [head] = await post(web, 'application/grpc-web-text', Buffer.from(text));
    expect(head).toContain('grpc-status: 13\r\n');
    expect((await path.recordsReach(1)).responseCodeDetails).toMatch(/^grpc_base_64_decode_failed/);
  });

  it('a call that failed says so', async () => {
    const [head, body] = await post(web, 'application/grpc-web', frame('fail'));
    expect(head + body.toString('latin1')).toMatch(/grpc-status: ?5\r\n[\s\S]*no%20such%20thing/);
  });

  it('an answer of ours is one that such a caller reads', async () => {
    path.assign('web', []);
    const [head] = await post(web, 'application/grpc-web', frame('x'));
    expect(head).toContain(
      '200 OK\r\ncontent-type: application/grpc-web\r\n'.replace(
        'content',
        'grpc-status: 14\r\ngrpc-message: no healthy upstream\r\ncontent',
      ),
    );
  });

  it('other requests pass as they are', async () => {
    const [head] = await post(web, 'application/json', Buffer.from('{}'));
    expect(head).not.toContain('grpc-web');
  });
});

describe('the bridge for HTTP/1.1 clients', () => {
  const bridge = [httpFilter('bridge', `${HTTP}.grpc_http1_bridge.v3.Config`)];

  it('puts the status into the head and knows the length', async () => {
    const [head, body] = await post(bridge, 'application/grpc', frame('hello'));
    expect(head).toMatch(/^HTTP\/1\.1 200 /);
    expect(head).toContain('grpc-status: 0\r\n');
    expect(head).toContain('content-length: 10\r\n');
    expect(body).toEqual(frame('hello'));
  });

  it('a call that failed has status 503', async () => {
    const [head] = await post(bridge, 'application/grpc', frame('fail'));
    expect(head).toMatch(/^HTTP\/1\.1 503 /);
    expect(head).toContain('grpc-status: 5\r\n');
    expect(head).toContain('grpc-message: no%20such%20thing\r\n');
    expect((await path.recordsReach(1)).grpcStatus).toBe(5);
  });
});

describe('statistics of calls', () => {
  const stats = (json: Readonly<Record<string, unknown>>): HttpFilter[] => [
    httpFilter('stats', `${HTTP}.grpc_stats.v3.FilterConfig`, json),
  ];
  const counter = (name: string): number => path.counter('cluster', 'web', `grpc.${name}`);

  it('by method: how calls ended, and their messages', async () => {
    await post(stats({ statsForAllMethods: true }), 'application/grpc', Buffer.concat([frame('hello')]));
    await post(stats({ statsForAllMethods: true }), 'application/grpc', frame('fail'));
    await path.recordsReach(2);
    const names = ['total', 'success', 'failure', '0', '5', 'request_message_count', 'response_message_count'];
    expect(names.map((name) => counter(`test.Echo.Unary.${name}`))).toEqual([2, 1, 1, 1, 1, 2, 1]);
  });

  it('by cluster only, unless a method is on the list', async () => {
    await post(stats({}), 'application/grpc', frame('hello'));
    const services = [{ name: 'test.Echo', methodNames: ['Unary'] }];
    const listed = stats({ individualMethodStatsAllowlist: { services }, replaceDotsInGrpcServiceName: true });
    await post(listed, 'application/grpc', frame('hello'));
    await path.recordsReach(2);
    expect(counter('total')).toBe(1);
    expect(counter('test_Echo.Unary.total')).toBe(1);
  });
});
