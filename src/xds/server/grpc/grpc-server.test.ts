import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2, constants } from 'node:http2';
import { type AddressInfo, connect as connectSocket, createServer, type Server, type Socket } from 'node:net';
import { Client, type ClientOptions, credentials, Metadata, status } from '@grpc/grpc-js';
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../../../base/clock.ts';
import { seededRandom } from '../../../base/random.ts';
import { eventually } from '../../fakes/eventually.ts';
import {
  type CallHandler,
  GrpcServer,
  type GrpcServerOptions,
  GrpcStatus,
  NO_HANDLER,
  PlainTransport,
  type ServerCall,
} from './grpc-server.ts';

const asIs = (bytes: Buffer): Buffer => bytes;
const METHOD = '/test.Echo/Say';
const stops: (() => unknown)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

/** A server whose one method is the test's. */
class Host {
  readonly counters = { connectionsFailed: 0 };
  readonly unexpected: unknown[] = [];
  readonly server: GrpcServer;
  readonly #listening: Server;
  call: ServerCall | undefined;
  calls = 0;
  readonly events: string[] = [];

  constructor(options: Partial<GrpcServerOptions> = {}, handler: Partial<CallHandler> = {}) {
    this.server = new GrpcServer({
      clock: systemClock,
      random: seededRandom(1),
      maxMessageBytes: 1024 * 1024,
      maxStreamsPerConnection: 4,
      maxConnectionIdleMs: 60_000,
      maxConnectionAgeMs: undefined,
      maxConnectionAgeGraceMs: 20,
      keepAliveIntervalMs: 30_000,
      keepAliveTimeoutMs: 10_000,
      counters: this.counters,
      onUnexpectedError: (error) => this.unexpected.push(error),
      ...options,
    });
    this.server.register(METHOD, (call) => {
      this.call = call;
      this.calls += 1;
      const number = this.calls;
      return {
        onMessage: (bytes) => {
          this.events.push(`message ${bytes.length}`);
          call.send(Buffer.from(bytes));
        },
        onWritable: () => this.events.push(`call ${number} is writable`),
        onHalfClose: () => call.end({ code: GrpcStatus.OK, details: '' }),
        onClosed: () => this.events.push('closed'),
        ...handler,
      };
    });
    const listening = createServer({ noDelay: true, pauseOnConnect: true, allowHalfOpen: true }, (socket) =>
      this.server.take(new PlainTransport(this.server.turn, socket)),
    );
    this.#listening = listening;
    stops.push(async () => {
      await this.server.stop('the test is over', 1_000);
      await new Promise((resolve) => listening.close(resolve));
    });
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#listening.listen(0, '127.0.0.1', resolve));
    return (this.#listening.address() as AddressInfo).port;
  }
}

function client(port: number, options: ClientOptions = {}): Client {
  const made = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
    ...options,
  });
  stops.push(() => made.close());
  return made;
}

interface Outcome {
  readonly code: number;
  readonly details: string;
  readonly answer: string;
}

function say(caller: Client, text: string, path = METHOD, deadline?: number): Promise<Outcome> {
  return new Promise((resolve) => {
    const metadata = new Metadata();
    const options = deadline === undefined ? {} : { deadline };
    caller.makeUnaryRequest(path, asIs, asIs, Buffer.from(text), metadata, options, (error, answer) => {
      resolve({ code: error?.code ?? 0, details: error?.details ?? '', answer: answer?.toString() ?? '' });
    });
  });
}

function session(port: number): ClientHttp2Session {
  const made = connectHttp2(`http://127.0.0.1:${port}`);
  made.on('error', () => {});
  stops.push(() => made.destroy());
  return made;
}

function request(http2: ClientHttp2Session, headers: Readonly<Record<string, string>> = {}): ClientHttp2Stream {
  const stream = http2.request(
    { ':method': 'POST', ':path': METHOD, 'content-type': 'application/grpc', te: 'trailers', ...headers },
    { endStream: false },
  );
  stream.on('error', () => {});
  return stream;
}

function headOf(stream: ClientHttp2Stream): Promise<Readonly<Record<string, unknown>>> {
  return new Promise((resolve) => stream.once('response', resolve));
}

function framed(text: string): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(text.length, 1);
  return Buffer.concat([prefix, Buffer.from(text)]);
}

test('a unary call and a stream are answered, with the status in trailers', async () => {
  const host = new Host();
  const caller = client(await host.listen());
  expect(await say(caller, 'hello')).toEqual({ code: 0, details: '', answer: 'hello' });
  const stream = caller.makeBidiStreamRequest(METHOD, asIs, asIs);
  const heard: string[] = [];
  stream.on('data', (bytes: Buffer) => heard.push(String(bytes)));
  const ended = new Promise((resolve) => stream.on('status', resolve));
  stream.write(Buffer.from('one'));
  await eventually(() => heard).toEqual(['one']);
  stream.write(Buffer.from(''));
  await eventually(() => heard).toEqual(['one', '']);
  stream.end();
  expect(await ended).toMatchObject({ code: status.OK });
});

test('a status with a text that is no ASCII arrives as it was, before and after messages', async () => {
  const details = 'größer als 100 % — so nicht\n';
  const host = new Host({}, {});
  host.server.register('/test.Echo/Refuse', (call) => {
    call.end({ code: GrpcStatus.PERMISSION_DENIED, details });
    return NO_HANDLER;
  });
  host.server.register('/test.Echo/Fail', (call) => ({
    ...NO_HANDLER,
    onMessage: (bytes) => {
      call.send(Buffer.from(bytes));
      call.end({ code: GrpcStatus.INVALID_ARGUMENT, details });
    },
  }));
  const caller = client(await host.listen());
  expect(await say(caller, 'x', '/test.Echo/Refuse')).toMatchObject({ code: status.PERMISSION_DENIED, details });
  expect(await say(caller, 'x', '/test.Echo/Fail')).toMatchObject({ code: status.INVALID_ARGUMENT, details });
});

test('what is no method, or no gRPC, is told so', async () => {
  const port = await new Host().listen();
  expect(await say(client(port), 'x', '/test.Echo/Nothing')).toMatchObject({ code: status.UNIMPLEMENTED });
  const http2 = session(port);
  expect(await headOf(request(http2, { 'content-type': 'application/json' }))).toMatchObject({ ':status': 415 });
  expect(await headOf(request(http2, { ':method': 'PUT' }))).toMatchObject({ ':status': 405 });
});

test('the time that a client gives is kept, also where its handler says nothing', async () => {
  const host = new Host({}, { onMessage: () => undefined, onHalfClose: () => undefined });
  const http2 = session(await host.listen());
  const stream = request(http2, { 'grpc-timeout': '20m' });
  expect(await headOf(stream)).toMatchObject({ ':status': 200, 'grpc-status': '4' });
  expect(host.events).toEqual(['closed']);
});

test('compressed messages are refused with what is taken instead', async () => {
  const port = await new Host().listen();
  const caller = client(port, { 'grpc.default_compression_algorithm': 2 });
  expect(await say(caller, 'x'.repeat(1_000))).toMatchObject({ code: status.UNIMPLEMENTED });
});

test('a stream that ends inside a message is told so', async () => {
  const port = await new Host().listen();
  const stream = request(session(port));
  stream.end(framed('hello').subarray(0, 7));
  expect(await headOf(stream)).toMatchObject({ 'grpc-status': '13' });
});

test('messages of many times every window go both ways whole', async () => {
  const host = new Host({ maxMessageBytes: 16 * 1024 * 1024 });
  const caller = client(await host.listen(), { 'grpc.max_receive_message_length': -1 });
  const text = 'weft'.repeat(2 * 1024 * 1024);
  expect((await say(caller, text)).answer === text).toBe(true);
});

test('who does not read is sent what its window takes; others of its connection go on, and it goes on when it reads', async () => {
  const host = new Host();
  const http2 = session(await host.listen());
  const deaf = request(http2);
  deaf.pause();
  deaf.write(framed('go'));
  await headOf(deaf);
  const message = Buffer.alloc(1_000_000, 'x');
  expect(host.call?.send(message)).toBe(false);
  const other = request(http2);
  other.write(framed('hello'));
  let answer = 0;
  other.on('data', (bytes: Buffer) => {
    answer += bytes.length;
  });
  await eventually(() => answer).toBe(10);
  expect(host.events).not.toContain('call 1 is writable');
  let read = 0;
  deaf.on('data', (bytes: Buffer) => {
    read += bytes.length;
  });
  deaf.resume();
  await eventually(() => host.events).toContain('call 1 is writable');
  await eventually(() => read).toBe(7 + 5 + message.length);
});

test('a call that is paused is read no further than its window, and goes on where it stopped', async () => {
  const seen: string[] = [];
  const host: Host = new Host(
    {},
    {
      onMessage: (bytes) => {
        seen.push(bytes.toString());
        host.call?.pause();
      },
    },
  );
  const stream = request(session(await host.listen()));
  const texts = Array.from({ length: 50 }, (_, index) => `${index} `.padEnd(3_000, '.'));
  stream.end(Buffer.concat(texts.map(framed)));
  await eventually(() => seen.length).toBe(1);
  for (let count = 2; count <= texts.length; count += 1) {
    host.call?.resume();
    await eventually(() => seen.length).toBe(count);
  }
  expect(seen).toEqual(texts);
  host.call?.resume();
  await eventually(() => host.events).toEqual(['closed']);
});

test('streams beyond the bound of a connection are refused, and the others stay', async () => {
  const host = new Host();
  const http2 = session(await host.listen());
  await new Promise((resolve) => http2.once('remoteSettings', resolve));
  expect(http2.remoteSettings.maxConcurrentStreams).toBe(4);
  const open = Array.from({ length: 4 }, () => request(http2));
  for (const stream of open) stream.write(framed('x'));
  await Promise.all(open.map(headOf));
  open[0]?.close(constants.NGHTTP2_CANCEL);
  await eventually(() => host.events.filter((event) => event === 'closed').length).toBe(1);
  const next = request(http2);
  next.write(framed('x'));
  expect(await headOf(next)).toMatchObject({ ':status': 200 });
});

test('a connection that breaks HTTP/2 is ended and counted; others go on', async () => {
  const host = new Host();
  const port = await host.listen();
  const caller = client(port);
  await say(caller, 'x');
  const socket = connectSocket(port, '127.0.0.1');
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.on('error', () => {});
  socket.resume();
  socket.write('GET / HTTP/1.1\r\n\r\n');
  await closed;
  expect(host.counters.connectionsFailed).toBe(1);
  expect(await say(caller, 'y')).toMatchObject({ answer: 'y' });
});

const PING = 6;
const GOAWAY = 7;
const GREETING = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
  Buffer.from([0, 0, 0, 4, 1, 0, 0, 0, 0]),
]);

/** Says good day in HTTP/2, and then only what a test makes it say. */
class RawConnection {
  readonly closed: Promise<void>;
  readonly #socket: Socket;
  #bytes = Buffer.alloc(0);

  constructor(port: number) {
    const socket = connectSocket(port, '127.0.0.1');
    this.#socket = socket;
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
    socket.on('error', () => {});
    socket.on('data', (bytes: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, bytes]);
    });
    socket.write(GREETING);
  }

  write(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  get frames(): { readonly type: number; readonly payload: Buffer }[] {
    const frames = [];
    for (let at = 0; at + 9 <= this.#bytes.length; ) {
      const end = at + 9 + this.#bytes.readUIntBE(at, 3);
      frames.push({ type: this.#bytes.readUInt8(at + 3), payload: this.#bytes.subarray(at + 9, end) });
      at = end;
    }
    return frames;
  }

  lastStreamIds(): number[] {
    return this.frames.filter(({ type }) => type === GOAWAY).map(({ payload }) => payload.readUInt32BE(0));
  }
}

test('a client that answers no ping is gone', async () => {
  const host = new Host({ keepAliveIntervalMs: 20, keepAliveTimeoutMs: 20 });
  await new RawConnection(await host.listen()).closed;
  expect(host.counters.connectionsFailed).toBe(1);
  await eventually(() => host.server.connections).toBe(0);
});

test('a connection without a call is closed after a while', async () => {
  const http2 = session(await new Host({ maxConnectionIdleMs: 20 }).listen());
  const code = await new Promise((resolve) => http2.once('goaway', resolve));
  expect(code).toBe(constants.NGHTTP2_NO_ERROR);
  await new Promise<void>((resolve) => (http2.closed ? resolve() : http2.once('close', () => resolve())));
});

test('a connection that is old is asked to go, and its calls are ended when their grace is over', async () => {
  const host = new Host({ maxConnectionAgeMs: 20 });
  const stream = request(session(await host.listen()));
  stream.write(framed('x'));
  const trailers = new Promise((resolve) => stream.once('trailers', resolve));
  expect(await trailers).toMatchObject({ 'grpc-status': '14' });
  expect(host.events).toEqual(['message 1', 'closed']);
});

test('stopping ends calls with UNAVAILABLE, and cuts off who does not go', async () => {
  const host = new Host();
  const port = await host.listen();
  const stream = request(session(port));
  stream.write(framed('x'));
  await headOf(stream);
  const trailers = new Promise((resolve) => stream.once('trailers', resolve));
  const stubborn = new RawConnection(port);
  await eventually(() => host.server.connections).toBe(2);
  await host.server.stop('moving', 50);
  expect(await trailers).toMatchObject({ 'grpc-status': '14', 'grpc-message': 'moving' });
  await stubborn.closed;
  expect(host.unexpected).toEqual([]);
});

test('a connection goes in two steps: what was on its way at the first GOAWAY is still served', async () => {
  const host = new Host({ maxConnectionIdleMs: 20 });
  const raw = new RawConnection(await host.listen());
  await eventually(() => raw.frames.map(({ type }) => type)).toContain(GOAWAY);
  expect(raw.lastStreamIds()).toEqual([2 ** 31 - 1]);
  const ping = raw.frames.find(({ type }) => type === PING);
  raw.write(Buffer.concat([Buffer.from([0, 0, 8, PING, 1, 0, 0, 0, 0]), ping?.payload ?? Buffer.alloc(0)]));
  await raw.closed;
  expect(raw.lastStreamIds()).toEqual([2 ** 31 - 1, 0]);
  expect(host.counters.connectionsFailed).toBe(0);
});

test('a fault of a handler costs its connection, and is told', async () => {
  const fault = new Error('of ours');
  const host = new Host(
    {},
    {
      onMessage: () => {
        throw fault;
      },
    },
  );
  const port = await host.listen();
  expect(await say(client(port), 'x')).toMatchObject({ code: status.UNAVAILABLE });
  expect(host.unexpected).toEqual([fault]);
});
