import { once } from 'node:events';
import * as grpc from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { httpFilter } from '../../../test/support/extensions.ts';
import {
  httpConnectionManager,
  route,
  routeAction,
  routeConfiguration,
  routeMatch,
  virtualHost,
} from '../../../test/support/resources.ts';
import type { HttpConnectionManager } from '../../resource/http-connection-manager.ts';
import { UNSAID_HTTP2_OPTIONS } from '../../resource/http2-options.ts';
import type { FilterMetadata } from '../../resource/route-configuration.ts';
import { DataPath, RawPeer, RawUpstream } from './data-path-fixture.ts';

const asIs = (bytes: Buffer): Buffer => bytes;
const CHAT = '/test.Sizes/Chat';
const LIMITS = { max_request_message_bytes: 1_000, max_response_message_bytes: 2_000 };
const RESOURCE_EXHAUSTED = 8;

let path: DataPath;

beforeEach(() => {
  path = new DataPath();
});

afterEach(() => path.close());

function saying(limits: Readonly<Record<string, number>>): { readonly metadata: FilterMetadata } {
  return { metadata: { 'weft.grpc_limits': limits } };
}

describe('a call by others’ hands', () => {
  let server: grpc.Server;
  let client: grpc.Client | undefined;
  /** Sizes of the messages that reached the server. */
  let seen: number[];
  let onCancelled: () => void;

  beforeEach(async () => {
    seen = [];
    onCancelled = () => undefined;
    server = new grpc.Server({ 'grpc.max_receive_message_length': -1 });
    const method = { path: CHAT, requestStream: true, responseStream: true };
    const bytes = {
      requestSerialize: asIs,
      requestDeserialize: asIs,
      responseSerialize: asIs,
      responseDeserialize: asIs,
    };
    server.addService({ chat: { ...method, ...bytes } } satisfies grpc.ServiceDefinition, {
      // Each message says how large its answer is to be.
      chat(call: grpc.ServerDuplexStream<Buffer, Buffer>): void {
        call.on('cancelled', () => onCancelled());
        call.on('data', (message: Buffer) => {
          seen.push(message.length);
          call.write(Buffer.alloc(Number.parseInt(message.toString('latin1'), 10)));
        });
        call.on('end', () => call.end());
      },
    });
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve(port);
      else reject(error);
    });
    const upstreamProtocol = { kind: 'explicitHttp2', http2: UNSAID_HTTP2_OPTIONS } as const;
    path.addCluster('web', [await promise], { upstreamProtocol });
  });

  afterEach(() => {
    client?.close();
    server.forceShutdown();
  });

  const message = (bytes: number, answerBytes: number): Buffer => {
    const made = Buffer.alloc(bytes, ' ');
    made.write(`${answerBytes} `, 'latin1');
    return made;
  };

  interface Call {
    readonly stream: grpc.ClientDuplexStream<Buffer, Buffer>;
    readonly answers: number[];
    readonly status: Promise<grpc.StatusObject>;
  }

  function chat(port: number, metadata = new grpc.Metadata()): Call {
    client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), {
      'grpc.max_receive_message_length': -1,
    });
    const stream = client.makeBidiStreamRequest(CHAT, asIs, asIs, metadata);
    const answers: number[] = [];
    stream.on('data', (answer: Buffer) => answers.push(answer.length));
    stream.on('error', () => undefined);
    const status = new Promise<grpc.StatusObject>((resolve) => void stream.on('status', resolve));
    return { stream, answers, status };
  }

  const serve = (manager: Partial<HttpConnectionManager> = {}): Promise<number> => path.serve(manager, saying(LIMITS));
  const refused = (direction: string): number => path.counter('http', 'ingress', `grpc_${direction}_message_too_large`);

  it('with messages as large as they may be passes', async () => {
    const { stream, answers, status } = chat(await serve());
    for (let index = 0; index < 3; index++) stream.write(message(1_000, 2_000));
    stream.end();
    expect((await status).code).toBe(grpc.status.OK);
    expect(seen).toEqual([1_000, 1_000, 1_000]);
    expect(answers).toEqual([2_000, 2_000, 2_000]);
    expect(refused('request') + refused('response')).toBe(0);
  });

  it('ends at a request message that is larger: the caller hears what and why, the server is let go', async () => {
    const cancelled = new Promise<void>((resolve) => {
      onCancelled = resolve;
    });
    const { stream, answers, status } = chat(await serve());
    stream.write(message(10, 5));
    await once(stream, 'data');
    stream.write(message(1_001, 5));
    expect(await status).toMatchObject({
      code: grpc.status.RESOURCE_EXHAUSTED,
      details: 'request message larger than max (1001 vs. 1000 bytes, weft.grpc_limits)',
    });
    await cancelled;
    expect(seen).toEqual([10]);
    expect(answers).toEqual([5]);
    expect(refused('request')).toBe(1);
    expect(await path.recordsReach(1)).toMatchObject({
      grpcStatus: RESOURCE_EXHAUSTED,
      responseCodeDetails: 'grpc_request_message_too_large',
    });
    expect(path.counter('cluster', 'web', 'upstream_rq_cancelled')).toBe(1);
  });

  it('ends before an answer, too', async () => {
    const { stream, status } = chat(await serve());
    stream.write(message(100_000, 5));
    expect(await status).toMatchObject({ code: grpc.status.RESOURCE_EXHAUSTED });
    expect(seen).toEqual([]);
  });

  it('ends at an answer that is larger, behind those that came whole', async () => {
    const cancelled = new Promise<void>((resolve) => {
      onCancelled = resolve;
    });
    const { stream, answers, status } = chat(await serve());
    stream.write(message(10, 2_000));
    await once(stream, 'data');
    stream.write(message(10, 50_000));
    expect(await status).toMatchObject({
      code: grpc.status.RESOURCE_EXHAUSTED,
      details: 'response message larger than max (50000 vs. 2000 bytes, weft.grpc_limits)',
    });
    await cancelled;
    expect(answers).toEqual([2_000]);
    expect(refused('response')).toBe(1);
  });

  it('is bounded by its route where that says so, and by the listener in all else', async () => {
    const routes = [
      route({
        match: routeMatch({ path: { kind: 'path', path: CHAT } }),
        action: routeAction(),
        ...saying({ max_request_message_bytes: 5_000 }),
      }),
    ];
    const routeTable = routeConfiguration({ virtualHosts: [virtualHost({ routes })] });
    const { stream, status } = chat(await serve({ routes: { kind: 'inline', routeConfiguration: routeTable } }));
    stream.write(message(5_000, 10));
    await once(stream, 'data');
    stream.write(message(10, 2_001));
    expect(await status).toMatchObject({ code: grpc.status.RESOURCE_EXHAUSTED });
    expect(seen).toEqual([5_000, 10]);
  });

  it('with more metadata than a head may hold ends with RESOURCE_EXHAUSTED', async () => {
    const metadata = new grpc.Metadata();
    metadata.set('x-much', 'm'.repeat(5_000));
    const { status } = chat(await path.serve({ maxRequestHeadersBytes: 4_096 }), metadata);
    expect(await status).toMatchObject({ code: grpc.status.RESOURCE_EXHAUSTED });
    expect(path.counter('http', 'ingress', 'downstream_http2_head_too_large')).toBe(1);
  });

  it('with more metadata fields than there may be, too', async () => {
    const metadata = new grpc.Metadata();
    for (let index = 0; index < 40; index++) metadata.set(`x-${index}`, 'v');
    const { status } = chat(await path.serve({ maxHeadersCount: 20 }), metadata);
    expect(await status).toMatchObject({ code: grpc.status.RESOURCE_EXHAUSTED });
  });
});

describe('bytes of a call', () => {
  let upstream: RawUpstream;
  const peers: RawPeer[] = [];
  const head = (type: string): string =>
    `POST ${CHAT} HTTP/1.1\r\nhost: web\r\ncontent-type: ${type}\r\ncontent-length: 3005\r\n\r\n`;
  /** Of a message of 3,000 bytes. */
  const PREFIX = '\0\0\0\x0b\xb8';

  beforeEach(async () => {
    upstream = await RawUpstream.listen();
    path.addCluster('web', [upstream.port]);
  });

  afterEach(() => {
    for (const peer of peers.splice(0)) peer.destroy();
    upstream.close();
  });

  async function send(text: string, limits = LIMITS, manager: Partial<HttpConnectionManager> = {}): Promise<RawPeer> {
    const client = await RawPeer.connect(await path.serve(manager, saying(limits)));
    peers.push(client);
    client.send(text);
    return client;
  }

  it('are not held back until the message is whole', async () => {
    await send(`${head('application/grpc')}${PREFIX}first`, { ...LIMITS, max_request_message_bytes: 3_000 });
    const host = await upstream.connection(0);
    await host.receives(`${PREFIX}first`);
  });

  it('that say too much are told so as soon as the length is there', async () => {
    const client = await send(`${head('application/grpc')}${PREFIX}`);
    expect(await client.receives('\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 .*grpc-status: 8\r\n/s);
  });

  it('of a browser count as what they become', async () => {
    const grpcWeb = httpFilter('web', 'envoy.extensions.filters.http.grpc_web.v3.GrpcWeb');
    const httpFilters = [grpcWeb, ...httpConnectionManager().httpFilters];
    const client = await send(`${head('application/grpc-web')}${PREFIX}`, LIMITS, { httpFilters });
    expect(await client.receives('\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 .*grpc-status: 8\r\n/s);
  });

  it('that are no call have no limit, and no answer but gRPC’s has one', async () => {
    await send(`${head('application/json')}${PREFIX}${'x'.repeat(3_000)}`);
    const host = await upstream.connection(0);
    await host.receives('x'.repeat(3_000));
    const client = await send(`${head('application/grpc')}\0\0\0\0\0${'\0'.repeat(3_000)}`);
    const other = await upstream.connection(1);
    other.send(`HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 9\r\n\r\n\0\xff\xff\xff\xffhtml`);
    expect(await client.receives('html')).toMatch(/^HTTP\/1\.1 200 /);
  });
});
