import { createHash } from 'node:crypto';
import { once } from 'node:events';
import * as grpc from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { seededRandom } from '../../base/random.ts';
import type { Cluster } from '../../resource/cluster.ts';
import { UNSAID_HTTP2_OPTIONS } from '../../resource/http2-options.ts';
import { DataPath } from './data-path-fixture.ts';

/** gRPC by others' hands on both ends, and two listeners of ours between them: outbound, then inbound. */

const HTTP2 = { kind: 'explicitHttp2', http2: UNSAID_HTTP2_OPTIONS } as const;

const asIs = (bytes: Buffer): Buffer => bytes;
const COMMON = {
  requestSerialize: asIs,
  requestDeserialize: asIs,
  responseSerialize: asIs,
  responseDeserialize: asIs,
};
const SERVICE = {
  unary: { path: '/test.Echo/Unary', requestStream: false, responseStream: false, ...COMMON },
  upload: { path: '/test.Echo/Upload', requestStream: true, responseStream: false, ...COMMON },
  download: { path: '/test.Echo/Download', requestStream: false, responseStream: true, ...COMMON },
  chat: { path: '/test.Echo/Chat', requestStream: true, responseStream: true, ...COMMON },
} satisfies grpc.ServiceDefinition;

const HEALTH = {
  check: { path: '/grpc.health.v1.Health/Check', requestStream: false, responseStream: false, ...COMMON },
} satisfies grpc.ServiceDefinition;
/** HealthCheckResponse with status SERVING. */
const SERVING = Buffer.of(0x08, 0x01);

const hashOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

let path: DataPath;
let server: grpc.Server;
let client: grpc.Client;
/** Paths of calls that the server saw cancelled. */
let cancelled: string[];
let onCancelled: () => void;

type Unary = grpc.ServerUnaryCall<Buffer, Buffer>;
type Chat = grpc.ServerDuplexStream<Buffer, Buffer>;

function watch(call: { getPath(): string; on(event: 'cancelled', listener: () => void): unknown }): void {
  call.on('cancelled', () => {
    cancelled.push(call.getPath());
    onCancelled();
  });
}

const HANDLERS = {
  unary(call: Unary, answer: grpc.sendUnaryData<Buffer>): void {
    watch(call);
    const text = call.request.toString();
    if (text === 'never') return;
    if (text === 'fail') {
      const metadata = new grpc.Metadata();
      metadata.set('x-why', 'because');
      answer({ code: grpc.status.FAILED_PRECONDITION, details: 'not now: 50 %', metadata });
      return;
    }
    const trailers = new grpc.Metadata();
    trailers.set('x-seen', String(call.metadata.get('x-given')[0] ?? ''));
    answer(null, call.request, trailers);
  },
  upload(call: grpc.ServerReadableStream<Buffer, Buffer>, answer: grpc.sendUnaryData<Buffer>): void {
    const hash = createHash('sha256');
    call.on('data', (bytes: Buffer) => hash.update(bytes));
    call.on('end', () => answer(null, Buffer.from(hash.digest('hex'))));
  },
  async download(call: grpc.ServerWritableStream<Buffer, Buffer>): Promise<void> {
    const [count = 0, size = 0] = call.request.toString().split(' ').map(Number);
    for (let index = 0; index < count; index++) {
      if (!call.write(Buffer.alloc(size, index))) await once(call, 'drain');
    }
    call.end();
  },
  chat(call: Chat): void {
    watch(call);
    call.on('data', (bytes: Buffer) => call.write(bytes));
    call.on('end', () => call.end());
  },
};

interface UnaryResult {
  readonly error: grpc.ServiceError | null;
  readonly value: string;
  readonly trailers: grpc.Metadata;
}

function unary(text: string | Buffer, options: grpc.CallOptions = {}, metadata = new grpc.Metadata()) {
  const { promise, resolve } = Promise.withResolvers<UnaryResult>();
  let outcome: Pick<UnaryResult, 'error' | 'value'> | undefined;
  const done = (error: grpc.ServiceError | null, value?: Buffer): void => {
    outcome = { error, value: value?.toString() ?? '' };
  };
  const { path: method } = SERVICE.unary;
  const call = client.makeUnaryRequest(method, asIs, asIs, Buffer.from(text), metadata, options, done);
  call.on('status', ({ metadata: trailers }) => {
    setImmediate(() => resolve({ error: null, value: '', ...outcome, trailers }));
  });
  return { call, result: promise };
}

function chat(options: grpc.CallOptions = {}): grpc.ClientDuplexStream<Buffer, Buffer> {
  return client.makeBidiStreamRequest(SERVICE.chat.path, asIs, asIs, new grpc.Metadata(), options);
}

/** What the server made of all that was sent. */
function upload(
  pieces: readonly Buffer[],
): Promise<{ readonly error: grpc.ServiceError | null; readonly hash: string }> {
  return new Promise((resolve) => {
    const call = client.makeClientStreamRequest(SERVICE.upload.path, asIs, asIs, (error, value) =>
      resolve({ error, hash: value?.toString() ?? '' }),
    );
    const send = async (): Promise<void> => {
      for (const piece of pieces) if (!call.write(piece)) await once(call, 'drain');
      call.end();
    };
    void send();
  });
}

async function download(count: number, size: number): Promise<{ readonly code: number; readonly hashes: string[] }> {
  const call = client.makeServerStreamRequest(SERVICE.download.path, asIs, asIs, Buffer.from(`${count} ${size}`));
  const hashes: string[] = [];
  const status = once(call, 'status');
  for await (const bytes of call) hashes.push(hashOf(bytes as Buffer));
  const [{ code }] = (await status) as [grpc.StatusObject];
  return { code, hashes };
}

beforeEach(async () => {
  path = new DataPath();
  cancelled = [];
  onCancelled = () => undefined;
  server = new grpc.Server({ 'grpc.max_receive_message_length': -1 });
  server.addService(SERVICE, HANDLERS);
  server.addService(HEALTH, { check: (_call: Unary, answer: grpc.sendUnaryData<Buffer>) => answer(null, SERVING) });
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
    if (error === null) resolve(port);
    else reject(error);
  });
  const appPort = await promise;
  const overrides: Partial<Cluster> = { upstreamProtocol: HTTP2 };
  path.addCluster('web', [appPort], overrides);
  const port = await twoListeners(overrides);
  client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), {
    'grpc.max_receive_message_length': -1,
  });
});

/** The inbound listener sends to the app, the outbound one to the inbound. */
async function twoListeners(overrides: Partial<Cluster>): Promise<number> {
  const { httpListener, route, routeAction, routeConfiguration, virtualHost } = await import(
    '../../../test/support/resources.ts'
  );
  const inbound = httpListener('inbound', { enableTrailers: false }, { trafficDirection: 'inbound' });
  const action = routeAction({ cluster: { kind: 'cluster', name: 'sidecar' } });
  const routeTable = routeConfiguration({ virtualHosts: [virtualHost({ routes: [route({ action })] })] });
  const outbound = httpListener('outbound', {
    enableTrailers: false,
    routes: { kind: 'inline', routeConfiguration: routeTable },
  });
  await path.apply([inbound, outbound]);
  path.addCluster('sidecar', [path.listeners.get('inbound')?.port ?? 0], overrides);
  return path.listeners.get('outbound')?.port ?? 0;
}

afterEach(() => {
  client.close();
  server.forceShutdown();
  path.close();
});

describe('the four kinds of call', () => {
  it('unary: message, metadata and trailers', async () => {
    const metadata = new grpc.Metadata();
    metadata.set('x-given', 'yes');
    const { error, value, trailers } = await unary('hello', {}, metadata).result;
    expect(error).toBeNull();
    expect(value).toBe('hello');
    expect(trailers.get('x-seen')).toEqual(['yes']);
  });

  it('client streaming', async () => {
    const pieces = Array.from({ length: 100 }, (_, index) => Buffer.alloc(10_000, index));
    expect(await upload(pieces)).toEqual({ error: null, hash: hashOf(Buffer.concat(pieces)) });
  });

  it('server streaming', async () => {
    const sent = Array.from({ length: 50 }, (_, index) => hashOf(Buffer.alloc(100_000, index)));
    expect(await download(50, 100_000)).toEqual({ code: grpc.status.OK, hashes: sent });
  });

  it('both ways: each message is answered while the call is open', async () => {
    const call = chat();
    for (const text of ['one', 'two', 'three']) {
      call.write(Buffer.from(text));
      const [echo] = (await once(call, 'data')) as [Buffer];
      expect(echo.toString()).toBe(text);
    }
    const status = once(call, 'status');
    call.end();
    call.resume();
    const [{ code }] = (await status) as [grpc.StatusObject];
    expect(code).toBe(grpc.status.OK);
  });

  it('a large message, there and back', async () => {
    const large = Buffer.alloc(8_000_000, 'm');
    const { error, value } = await unary(large).result;
    expect(error).toBeNull();
    expect(hashOf(Buffer.from(value))).toBe(hashOf(large));
  });

  it('many at a time over one connection', async () => {
    const results = await Promise.all(Array.from({ length: 500 }, (_, index) => unary(`call ${index}`).result));
    expect(results.map(({ value }) => value)).toEqual(Array.from({ length: 500 }, (_, index) => `call ${index}`));
    expect(path.counter('http', 'ingress', 'downstream_cx_http2_total')).toBe(2);
    expect(path.gauge('http', 'ingress', 'downstream_rq_active')).toBe(0);
    expect(path.gauge('cluster', 'web', 'upstream_rq_active')).toBe(0);
  });

  it('a thousand streams open at once: each gets its own bytes back, and its status', { timeout: 60_000 }, async () => {
    const COUNT = 1_000;
    const random = seededRandom(11);
    const allOpen = Promise.withResolvers<void>();
    let open = 0;
    const one = async (index: number): Promise<boolean> => {
      const call = chat();
      const status = once(call, 'status');
      call.write(Buffer.from(`stream ${index}`));
      const [greeting] = (await once(call, 'data')) as [Buffer];
      if (++open === COUNT) allOpen.resolve();
      await allOpen.promise;
      const payload = Buffer.alloc(1_000 + (random.uint32() % 4_000), index);
      const received: Buffer[] = [];
      call.on('data', (bytes: Buffer) => received.push(bytes));
      call.write(payload);
      call.end();
      const [{ code }] = (await status) as [grpc.StatusObject];
      const isWhole = hashOf(Buffer.concat(received)) === hashOf(payload);
      return greeting.toString() === `stream ${index}` && isWhole && code === grpc.status.OK;
    };
    const results = await Promise.all(Array.from({ length: COUNT }, (_, index) => one(index)));
    expect(results.filter((isRight) => !isRight)).toEqual([]);
    expect(path.gauge('http', 'ingress', 'downstream_rq_active')).toBe(0);
    expect(path.gauge('cluster', 'sidecar', 'upstream_rq_active')).toBe(0);
  });

  it('large messages of every kind come whole', async () => {
    const large = Buffer.alloc(3_000_000);
    for (let at = 0; at < large.length; at += 4) large.writeUInt32BE(at, at);
    const call = chat();
    const received: Buffer[] = [];
    call.on('data', (bytes: Buffer) => received.push(bytes));
    const status = once(call, 'status');
    call.write(large);
    call.write(large);
    call.end();
    const [{ code }] = (await status) as [grpc.StatusObject];
    expect(code).toBe(grpc.status.OK);
    expect(received.map(hashOf)).toEqual([hashOf(large), hashOf(large)]);
    expect(await upload([large, large])).toEqual({ error: null, hash: hashOf(Buffer.concat([large, large])) });
    const sent = [0, 1].map((index) => hashOf(Buffer.alloc(large.length, index)));
    expect(await download(2, large.length)).toEqual({ code: grpc.status.OK, hashes: sent });
  });

  it("the app's health service is reached like any other", async () => {
    const answer = await new Promise<Buffer | undefined>((resolve) => {
      client.makeUnaryRequest(HEALTH.check.path, asIs, asIs, Buffer.alloc(0), (_error, value) => resolve(value));
    });
    expect(answer).toEqual(SERVING);
  });
});

describe('how calls end', () => {
  it("with the server's own status, message and metadata", async () => {
    const { error, trailers } = await unary('fail').result;
    expect(error?.code).toBe(grpc.status.FAILED_PRECONDITION);
    expect(error?.details).toBe('not now: 50 %');
    expect(trailers.get('x-why')).toEqual(['because']);
  });

  it('by the deadline, of which the server hears', async () => {
    const heard = new Promise<void>((resolve) => {
      onCancelled = resolve;
    });
    const { error } = await unary('never', { deadline: Date.now() + 100 }).result;
    expect(error?.code).toBe(grpc.status.DEADLINE_EXCEEDED);
    await heard;
    expect(cancelled).toEqual(['/test.Echo/Unary']);
  });

  it('by cancellation, of which the server hears at once', async () => {
    const call = chat();
    call.on('error', () => undefined);
    call.write(Buffer.from('x'));
    await once(call, 'data');
    const heard = new Promise<void>((resolve) => {
      onCancelled = resolve;
    });
    call.cancel();
    await heard;
    expect(cancelled).toEqual(['/test.Echo/Chat']);
  });

  it('with UNAVAILABLE where nobody serves', async () => {
    path.assign('web', []);
    const { error } = await unary('hello').result;
    expect(error?.code).toBe(grpc.status.UNAVAILABLE);
    expect(error?.details).toBe('no healthy upstream');
  });

  it('with an error where the server breaks off', async () => {
    const call = chat();
    const failed = once(call, 'error');
    call.write(Buffer.from('x'));
    await once(call, 'data');
    server.forceShutdown();
    const [error] = (await failed) as [grpc.ServiceError];
    expect([grpc.status.INTERNAL, grpc.status.UNAVAILABLE, grpc.status.CANCELLED]).toContain(error.code);
  });
});
