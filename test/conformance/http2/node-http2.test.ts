import { once } from 'node:events';
import http2 from 'node:http2';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { HeaderEdits, type ResponseHead } from '../../../src/http/http.ts';
import {
  DEFAULT_HTTP2_LIMITS,
  Http2ClientConnection,
  type Http2ClientSink,
  type Http2ClientStream,
} from '../../../src/http/http2/http2.ts';
import { requestHead } from '../../../src/http/http2/recorded-client.ts';
import { type EchoServer, startEchoServer } from './echo-server.ts';
import { SocketDriver } from './socket-driver.ts';

const cleanUps: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

interface Answer {
  readonly headers: http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader;
  readonly trailers: http2.IncomingHttpHeaders;
  readonly body: Buffer;
}

async function ask(
  session: http2.ClientHttp2Session,
  headers: http2.OutgoingHttpHeaders,
  body?: Buffer,
  trailers?: http2.OutgoingHttpHeaders,
): Promise<Answer> {
  const stream = session.request(headers, { endStream: body === undefined, waitForTrailers: trailers !== undefined });
  if (trailers !== undefined) stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  if (body !== undefined) stream.end(body);
  let received: http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader = {};
  let receivedTrailers: http2.IncomingHttpHeaders = {};
  const chunks: Buffer[] = [];
  stream.on('response', (fields) => {
    received = fields;
  });
  stream.on('trailers', (fields) => {
    receivedTrailers = fields;
  });
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(stream, 'end');
  return { headers: received, trailers: receivedTrailers, body: Buffer.concat(chunks) };
}

describe("our server and Node's client", () => {
  async function start(): Promise<{ server: EchoServer; session: http2.ClientHttp2Session }> {
    const server = await startEchoServer({ ...DEFAULT_HTTP2_LIMITS, maxRequestsPerConnection: 0 });
    const session = http2.connect(`http://127.0.0.1:${server.port}`);
    cleanUps.push(
      () => server.close(),
      () => session.destroy(),
    );
    return { server, session };
  }

  test('fields, cookies, bodies and trailers come back as they were sent', async () => {
    const { server, session } = await start();
    for (let round = 0; round < 4; round += 1) {
      const body = Buffer.alloc(1 + round * 30_000, `${round}`);
      const headers = {
        ':method': 'POST',
        ':path': '/a?b',
        'x-echo-one': 'äö',
        'x-echo-two': `${round}`,
        cookie: 'a=1; b=2',
      };
      const answer = await ask(session, headers, body, { 'x-trailer': `${round}` });
      expect(answer.headers).toMatchObject({
        ':status': 200,
        'x-method': 'POST',
        'x-path': '/a?b',
        cookie: 'a=1; b=2',
      });
      expect(answer.headers['x-echo-two']).toBe(`${round}`);
      expect(answer.trailers['x-trailer']).toBe(`${round}`);
      expect(answer.body.equals(body)).toBe(true);
    }
    expect(server.faults).toEqual([]);
    expect(server.activeStreams()).toBe(0);
  });

  test('every latin1 character of a value survives both Huffman codings', async () => {
    const { session } = await start();
    const value = Array.from({ length: 223 }, (_, index) => String.fromCharCode(index + 33))
      .filter((c) => c !== '\x7f')
      .join('');
    for (let round = 0; round < 3; round += 1) {
      const answer = await ask(session, { ':path': '/', 'x-echo-all': value });
      expect(answer.headers['x-echo-all']).toBe(value);
    }
  });

  test('a thousand requests at once, each with an answer of its own', async () => {
    const { server, session } = await start();
    const answers = await Promise.all(
      Array.from({ length: 1000 }, (_, index) => ask(session, { ':path': `/${index}`, 'x-echo-nonce': `${index}` })),
    );
    expect(answers.map((answer) => answer.headers['x-echo-nonce'])).toEqual(answers.map((_, index) => `${index}`));
    expect(answers.map((answer) => answer.headers['x-path'])).toEqual(answers.map((_, index) => `/${index}`));
    expect(server.faults).toEqual([]);
  });

  test('large bodies on many streams, through windows and a backed-up socket', async () => {
    const { server, session } = await start();
    const bodies = Array.from({ length: 12 }, (_, index) => Buffer.alloc(400_000 + index, index));
    const answers = await Promise.all(bodies.map((body) => ask(session, { ':method': 'POST', ':path': '/' }, body)));
    for (const [index, answer] of answers.entries())
      expect(answer.body.equals(bodies[index] ?? Buffer.alloc(0))).toBe(true);
    expect(server.faults).toEqual([]);
  });

  test('a cancelled stream leaves the others alone', async () => {
    const { server, session } = await start();
    const cancelled = session.request({ ':method': 'POST', ':path': '/' });
    cancelled.write('never finished');
    await once(cancelled, 'response');
    cancelled.close(http2.constants.NGHTTP2_CANCEL);
    await once(cancelled, 'close');
    expect((await ask(session, { ':path': '/' })).body.toString()).toBe('hello');
    expect(server.activeStreams()).toBe(0);
  });

  test('pings are answered and settings taken', async () => {
    const { session } = await start();
    await once(session, 'remoteSettings');
    await new Promise<void>((resolve, reject) => {
      session.ping((error) => (error === null ? resolve() : reject(error)));
    });
    expect(session.remoteSettings).toMatchObject({ maxConcurrentStreams: 100, initialWindowSize: 65_536 });
    expect(session.remoteSettings.enableConnectProtocol).toBe(true);
  });
});

describe("our client and Node's server", () => {
  interface Exchange {
    readonly head: ResponseHead | undefined;
    readonly body: Buffer;
    readonly trailers: string;
    readonly reset: string;
  }

  class Dialler implements Http2ClientSink {
    readonly #driver: SocketDriver;
    readonly connection: Http2ClientConnection;

    constructor(driver: SocketDriver) {
      this.#driver = driver;
      this.connection = new Http2ClientConnection(this, driver.output, DEFAULT_HTTP2_LIMITS, performance.now());
      driver.drive(this.connection);
    }

    onConnectionFault(): void {
      this.#driver.finish();
    }

    onDrained(): void {
      this.#driver.finish();
    }

    onStreamRefused(): void {}

    onPingAcknowledged(): void {}
    onCapacity(): void {}
    onPeerDraining(): void {}

    exchange(method: string, path: string, body?: Buffer): Promise<Exchange> {
      return new Promise((resolve) => {
        let head: ResponseHead | undefined;
        let trailers = '';
        let stream: Http2ClientStream | undefined;
        const chunks: Buffer[] = [];
        const finish = (reset: string): void => resolve({ head, body: Buffer.concat(chunks), trailers, reset });
        const line = { method, path, authority: 'a.test', scheme: 'http', upgrade: '' } as const;
        let sent = 0;
        const sendMore = (): void => {
          if (stream === undefined || body === undefined) return;
          while (sent < body.length && !stream.isBackedUp) {
            const end = Math.min(body.length, sent + 20_000);
            stream.sendBody(body, sent, end);
            sent = end;
          }
          if (sent === body.length) stream.end();
        };
        const length = body === undefined ? 0 : body.length;
        stream = this.connection.open(requestHead([['x-echo', 'yes']]), new HeaderEdits(), line, length, {
          onInformational() {},
          onResponseHead: (received) => {
            head = received;
          },
          onBody: (buffer, start, end) => {
            chunks.push(Buffer.from(buffer.subarray(start, end)));
            stream?.credit(end - start);
          },
          onTrailers: (fields) => {
            trailers = `${fields.nameAt(0)}=${fields.valueAt(0)}`;
          },
          onEnd: () => finish(''),
          onReset: (reset) => finish(reset.reason),
          onWritable: sendMore,
        });
        if (body === undefined) stream.end();
        else sendMore();
      });
    }
  }

  async function start(onStream: (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void) {
    const server = http2.createServer();
    server.on('stream', (stream: http2.ServerHttp2Stream, headers) => {
      stream.on('error', () => {});
      onStream(stream, headers);
    });
    const sessions = new Set<http2.ServerHttp2Session>();
    server.on('session', (session) => sessions.add(session));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    await once(socket, 'connect');
    cleanUps.push(
      async () => {
        for (const session of sessions) session.destroy();
        server.close();
        await once(server, 'close');
      },
      () => void socket.destroy(),
    );
    return { dialler: new Dialler(new SocketDriver(socket)), sessions };
  }

  test('requests, bodies and trailers', async () => {
    const { dialler } = await start((stream, headers) => {
      stream.respond(
        { ':status': 201, 'x-path': headers[':path'], 'x-echo': headers['x-echo'] },
        { waitForTrailers: true },
      );
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-done': '1' }));
      stream.pipe(stream);
    });
    const body = Buffer.alloc(300_000, 'abc');
    const answers = await Promise.all([1, 2, 3].map((round) => dialler.exchange('POST', `/${round}`, body)));
    for (const [index, { head, body: echoed, trailers, reset }] of answers.entries()) {
      expect([head?.status, head?.fields.get('x-path'), head?.fields.get('x-echo')]).toEqual([
        201,
        `/${index + 1}`,
        'yes',
      ]);
      expect(echoed.equals(body)).toBe(true);
      expect([trailers, reset]).toEqual(['x-done=1', '']);
    }
  });

  test('HEAD, an empty answer, a reset', async () => {
    const { dialler } = await start((stream, headers) => {
      if (headers[':path'] === '/reset') stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
      else stream.respond({ ':status': 200, 'content-length': 10 }, { endStream: headers[':method'] === 'HEAD' });
    });
    expect((await dialler.exchange('HEAD', '/')).head?.bodyLength).toBe(0);
    expect((await dialler.exchange('GET', '/reset')).reset).toBe('reset-by-peer');
  });

  test('a server that drains lets what is under way finish', async () => {
    const waiting: http2.ServerHttp2Stream[] = [];
    const { dialler, sessions } = await start((stream) => waiting.push(stream));
    const underWay = dialler.exchange('GET', '/');
    while (waiting.length === 0) await new Promise((resolve) => setImmediate(resolve));
    for (const session of sessions) session.close();
    while (dialler.connection.canOpen) await new Promise((resolve) => setImmediate(resolve));
    waiting[0]?.respond({ ':status': 200 });
    waiting[0]?.end('late');
    expect((await underWay).body.toString()).toBe('late');
  });
});
