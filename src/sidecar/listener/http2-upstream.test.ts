import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import type net from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { headers, OK, SERVER_HELLO } from '../../http/http2/frame-script.ts';
import type { Cluster } from '../../resource/cluster.ts';
import { UNSAID_HTTP2_OPTIONS } from '../../resource/http2-options.ts';
import { DataPath, RawPeer, RawUpstream } from './data-path-fixture.ts';

const EXPLICIT = { kind: 'explicitHttp2', http2: UNSAID_HTTP2_OPTIONS } as const;

let path: DataPath;
const closers: (() => void)[] = [];

type Handler = (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void;

/** An HTTP/2 host by node:http2. */
class Host {
  readonly sessions: http2.ServerHttp2Session[] = [];
  port = 0;

  static async listen(handler: Handler, settings: http2.Settings = {}): Promise<Host> {
    const host = new Host();
    const server = http2.createServer({ settings });
    server.on('session', (session: http2.ServerHttp2Session) => host.sessions.push(session));
    server.on('stream', (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => {
      stream.on('error', () => undefined);
      handler(stream, headers);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    host.port = (server.address() as net.AddressInfo).port;
    closers.push(() => {
      server.close();
      for (const session of host.sessions) session.destroy();
    });
    return host;
  }
}

interface Answer {
  readonly status: number | undefined;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
  readonly trailers: NodeJS.Dict<string>;
}

async function ask(port: number, options: http.RequestOptions = {}, body = ''): Promise<Answer> {
  const request = http.request({ port, agent: false, ...options });
  request.end(body);
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  let text = '';
  for await (const bytes of response) text += String(bytes);
  return { status: response.statusCode, headers: response.headers, body: text, trailers: response.trailers };
}

function use(ports: readonly number[], overrides: Partial<Cluster> = {}): void {
  path.addCluster('web', ports, { upstreamProtocol: EXPLICIT, ...overrides });
}

beforeEach(() => {
  path = new DataPath();
});

afterEach(() => {
  path.close();
  for (const close of closers.splice(0)) close();
});

describe('HTTP/1.1 to an HTTP/2 host', () => {
  it('carries heads, bodies and trailers, and no connection fields', async () => {
    let seen: http2.IncomingHttpHeaders = {};
    const host = await Host.listen((stream, headers) => {
      seen = headers;
      let body = '';
      stream.on('data', (bytes: Buffer) => {
        body += bytes.toString();
      });
      stream.on('end', () => {
        stream.respond({ ':status': 201, 'x-two': '2' }, { waitForTrailers: true });
        stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '9' }));
        stream.end(`got ${body}`);
      });
    });
    use([host.port]);
    const port = await path.serve();
    const headers = { 'x-one': '1', connection: 'x-hop', 'x-hop': '1', host: 'shop.example' };
    const answer = await ask(port, { method: 'POST', path: '/a?b', headers }, 'hello');
    expect(answer).toMatchObject({ status: 201, body: 'got hello', trailers: { 'x-sum': '9' } });
    expect(answer.headers['x-two']).toBe('2');
    expect(seen).toMatchObject({ ':method': 'POST', ':path': '/a?b', ':authority': 'shop.example', 'x-one': '1' });
    expect(seen['x-hop']).toBeUndefined();
    expect(seen['content-length'] ?? '5').toBe('5');
    expect(path.counter('cluster', 'web', 'upstream_cx_http2_total')).toBe(1);
  });

  it('shares one connection among requests at the same time', async () => {
    const waiting: http2.ServerHttp2Stream[] = [];
    const host = await Host.listen((stream) => {
      waiting.push(stream);
      if (waiting.length === 20) for (const each of waiting) each.end('ok');
    });
    use([host.port]);
    const port = await path.serve();
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(port)));
    expect(answers.every(({ body }) => body === 'ok')).toBe(true);
    expect(host.sessions).toHaveLength(1);
    expect(path.counter('cluster', 'web', 'upstream_cx_total')).toBe(1);
    expect(path.gauge('cluster', 'web', 'upstream_rq_active')).toBe(0);
  });

  it('opens another connection where the host takes no more streams on the first', async () => {
    const waiting: http2.ServerHttp2Stream[] = [];
    const host = await Host.listen(
      (stream) => {
        waiting.push(stream);
        if (waiting.length === 6) for (const each of waiting) each.end('ok');
      },
      { maxConcurrentStreams: 2 },
    );
    use([host.port]);
    const port = await path.serve();
    const answers = await Promise.all(Array.from({ length: 6 }, () => ask(port)));
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    expect(host.sessions).toHaveLength(3);
  });
});

describe('streams that the host did not look at', () => {
  it('are sent again after REFUSED_STREAM, whatever the method', async () => {
    let count = 0;
    const host = await Host.listen((stream) => {
      count += 1;
      if (count === 1) stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
      else {
        stream.resume();
        stream.on('end', () => stream.end('second'));
      }
    });
    use([host.port]);
    const answer = await ask(await path.serve(), { method: 'POST' }, 'body');
    expect(answer).toMatchObject({ status: 200, body: 'second' });
    expect(count).toBe(2);
  });

  it('go to another connection after GOAWAY, and what was under way ends on the first', async () => {
    const slow: http2.ServerHttp2Stream[] = [];
    const host = await Host.listen((stream, headers) => {
      if (headers[':path'] === '/slow') slow.push(stream);
      else stream.end('quick');
    });
    use([host.port]);
    const port = await path.serve();
    const first = ask(port, { path: '/slow' });
    while (slow.length === 0) await new Promise((resolve) => setImmediate(resolve));
    host.sessions[0]?.goaway(0);
    while (path.counter('cluster', 'web', 'upstream_cx_close_notify') === 0) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect((await ask(port)).body).toBe('quick');
    expect(host.sessions).toHaveLength(2);
    slow[0]?.end('late');
    expect((await first).body).toBe('late');
  });
});

describe('a host that breaks off', () => {
  it('before an answer is a 503; after one the client sees an aborted response', async () => {
    const host = await Host.listen((stream, headers) => {
      if (headers[':path'] === '/never') stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
      else {
        stream.respond({ ':status': 200, 'content-length': 100 });
        stream.write('part', () => stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR));
      }
    });
    use([host.port]);
    const port = await path.serve();
    expect((await ask(port, { path: '/never' })).status).toBe(503);
    await expect(ask(port, { path: '/part' })).rejects.toThrow();
    expect(await path.recordsReach(2)).toMatchObject({ responseFlags: 'UPE', status: 200 });
    expect(host.sessions).toHaveLength(1);
  });

  it('is told when the client gives up', async () => {
    const closed = Promise.withResolvers<number>();
    const host = await Host.listen((stream) => {
      stream.on('close', () => closed.resolve(stream.rstCode));
      client.destroy();
    });
    use([host.port]);
    const client = await RawPeer.connect(await path.serve());
    client.send('GET / HTTP/1.1\r\nhost: web\r\n\r\n');
    expect(await closed.promise).toBe(http2.constants.NGHTTP2_CANCEL);
  });

  it('by not speaking HTTP/2 at all is a connect timeout', async () => {
    const mute = await RawUpstream.listen();
    closers.push(() => mute.close());
    use([mute.port], { connectTimeoutMs: 50 });
    expect((await ask(await path.serve())).status).toBe(503);
    expect(path.counter('cluster', 'web', 'upstream_cx_connect_timeout')).toBe(1);
    expect(path.gauge('cluster', 'web', 'upstream_cx_active')).toBe(0);
  });

  it('by answering no PING is left', async () => {
    const mute = await RawUpstream.listen();
    closers.push(() => mute.close());
    const http2Options = {
      ...UNSAID_HTTP2_OPTIONS,
      connectionKeepaliveIntervalMs: 20,
      connectionKeepaliveTimeoutMs: 20,
    };
    use([mute.port], { upstreamProtocol: { kind: 'explicitHttp2', http2: http2Options } });
    const answer = ask(await path.serve());
    const peer = await mute.connection(0);
    // SETTINGS and the ACK of ours, and nothing ever again.
    peer.send('\0\0\0\x04\0\0\0\0\0\0\0\0\x04\x01\0\0\0\0');
    expect((await answer).status).toBe(503);
    expect(path.counter('cluster', 'web', 'http2.keepalive_timeout')).toBe(1);
  });
});

describe('http2_protocol_options of a cluster', () => {
  it('are announced to the host, and bound the streams of a connection', async () => {
    const seen = Promise.withResolvers<http2.Settings>();
    const held: http2.ServerHttp2Stream[] = [];
    const host = await Host.listen((stream) => {
      seen.resolve(stream.session?.remoteSettings ?? {});
      held.push(stream);
      if (held.length === 3) for (const one of held) one.end('done');
    });
    const http2Options = { ...UNSAID_HTTP2_OPTIONS, maxConcurrentStreams: 1, initialStreamWindowSizeBytes: 90_000 };
    use([host.port], { upstreamProtocol: { kind: 'explicitHttp2', http2: http2Options } });
    const port = await path.serve();
    const answers = await Promise.all([ask(port), ask(port), ask(port)]);
    expect(answers.map(({ body }) => body)).toEqual(['done', 'done', 'done']);
    expect(host.sessions).toHaveLength(3);
    expect((await seen.promise).initialWindowSize).toBe(90_000);
  });

  it('ask a connection that was idle for a sign of life ahead of its next stream', async () => {
    const host = await RawUpstream.listen();
    closers.push(() => host.close());
    const http2Options = { ...UNSAID_HTTP2_OPTIONS, connectionIdleIntervalMs: 1, connectionKeepaliveTimeoutMs: 30 };
    use([host.port], { upstreamProtocol: { kind: 'explicitHttp2', http2: http2Options } });
    const port = await path.serve();
    const first = ask(port);
    const peer = await host.connection(0);
    peer.socket.write(SERVER_HELLO);
    await peer.until(() => peer.received.includes('\x01\x05\0\0\0\x01'), 'HEADERS of stream 1');
    peer.socket.write(headers(1, OK, true));
    expect((await first).status).toBe(200);
    expect(peer.received).not.toContain('weft ask');
    const asked = path.turn.clock.nowMs();
    while (path.turn.clock.nowMs() < asked + 2) await new Promise((resolve) => setImmediate(resolve));
    const second = ask(port);
    await peer.receives('weft ask');
    expect((await second).status).toBe(503);
    expect(path.counter('cluster', 'web', 'http2.keepalive_timeout')).toBe(1);
  });
});

describe('back-pressure', () => {
  it('reaches the host when the client does not read', async () => {
    const total = 20_000_000;
    const host = await Host.listen((stream) => {
      stream.respond({ ':status': 200, 'content-length': total });
      stream.end(Buffer.alloc(total, 'z'));
    });
    use([host.port]);
    const request = http.request({ port: await path.serve(), agent: false });
    request.end();
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    const taken = (): number => path.counter('cluster', 'web', 'upstream_cx_rx_bytes_total');
    for (let before = -1; before !== taken(); ) {
      before = taken();
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    expect(taken()).toBeLessThan(total);
    let received = 0;
    for await (const bytes of response) received += (bytes as Buffer).length;
    expect(received).toBe(total);
    expect((await path.recordsReach(1)).responseBodyBytes).toBe(total);
  });
});

describe('windows larger than ours', () => {
  it('may be configured on both sides: what they let in while a reader stands still is kept, and comes whole', async () => {
    const total = 3_000_000;
    let uploaded = 0;
    const host = await Host.listen((stream) => {
      stream.respond({ ':status': 200, 'content-length': total });
      // An answer that ends first would end the request with it (RFC 9113 §8.1).
      stream.write(Buffer.alloc(total, 'd'));
      stream.on('end', () => stream.end());
      setTimeout(() => stream.on('data', (bytes: Buffer) => (uploaded += bytes.length)), 100);
    });
    const wide = { ...UNSAID_HTTP2_OPTIONS, initialStreamWindowSizeBytes: 1_000_000 };
    use([host.port], { upstreamProtocol: { kind: 'explicitHttp2', http2: wide } });
    const session = http2.connect(`http://127.0.0.1:${await path.serve({ http2: wide })}`);
    closers.push(() => session.destroy());
    const stream = session.request({ ':method': 'POST', ':path': '/', 'content-length': total }, { endStream: false });
    stream.end(Buffer.alloc(total, 'u'));
    await once(stream, 'response');
    const taken = (): number => path.counter('cluster', 'web', 'upstream_cx_rx_bytes_total');
    for (let before = -1; before !== taken(); ) {
      before = taken();
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(taken()).toBeGreaterThan(500_000);
    let received = 0;
    for await (const bytes of stream) received += (bytes as Buffer).length;
    expect([received, uploaded]).toEqual([total, total]);
  });
});

describe('which protocol a cluster is spoken to', () => {
  it("is the downstream's where configuration says so", async () => {
    const host = await Host.listen((stream) => stream.end('two'));
    const one = http.createServer((_request, response) => response.end('one'));
    one.listen(0, '127.0.0.1');
    await once(one, 'listening');
    closers.push(() => one.close());
    const upstreamProtocol = { kind: 'useDownstreamProtocol', http2: UNSAID_HTTP2_OPTIONS } as const;
    const port = await path.serve();
    use([(one.address() as net.AddressInfo).port], { upstreamProtocol });
    expect((await ask(port)).body).toBe('one');
    use([host.port], { upstreamProtocol });
    const session = http2.connect(`http://127.0.0.1:${port}`);
    closers.push(() => session.destroy());
    const stream = session.request({ ':path': '/' });
    let body = '';
    for await (const bytes of stream) body += String(bytes);
    expect(body).toBe('two');
  });
});
