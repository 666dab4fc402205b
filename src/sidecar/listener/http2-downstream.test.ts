import { once } from 'node:events';
import http2 from 'node:http2';
import net from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { route, routeAction, routeConfiguration, virtualHost } from '../../../test/support/resources.ts';
import { CLIENT_HELLO, headers } from '../../http/http2/frame-script.ts';
import type { HttpConnectionManager } from '../../resource/http-connection-manager.ts';
import { UNSAID_HTTP2_OPTIONS } from '../../resource/http2-options.ts';
import type { RouteAction } from '../../resource/route-configuration.ts';
import { DataPath, RawPeer, RawUpstream } from './data-path-fixture.ts';

let path: DataPath;
let upstream: RawUpstream;
const sessions: http2.ClientHttp2Session[] = [];
const peers: RawPeer[] = [];

interface Answer {
  readonly headers: http2.IncomingHttpHeaders;
  readonly body: string;
  readonly trailers: http2.IncomingHttpHeaders;
}

async function connect(port: number): Promise<http2.ClientHttp2Session> {
  const session = http2.connect(`http://127.0.0.1:${port}`);
  session.on('error', () => undefined);
  sessions.push(session);
  await once(session, 'connect');
  return session;
}

async function answerOf(stream: http2.ClientHttp2Stream): Promise<Answer> {
  let trailers: http2.IncomingHttpHeaders = {};
  stream.on('trailers', (fields: http2.IncomingHttpHeaders) => {
    trailers = fields;
  });
  const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
  let body = '';
  for await (const bytes of stream) body += String(bytes);
  return { headers, body, trailers };
}

function get(session: http2.ClientHttp2Session, target: string, fields: http2.OutgoingHttpHeaders = {}) {
  return session.request({ ':path': target, ...fields });
}

function routed(action: Partial<RouteAction>): Partial<HttpConnectionManager> {
  const routes = [route({ action: routeAction(action) })];
  const configuration = routeConfiguration({ virtualHosts: [virtualHost({ routes })] });
  return { routes: { kind: 'inline', routeConfiguration: configuration } };
}

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

beforeEach(async () => {
  path = new DataPath();
  upstream = await RawUpstream.listen();
  path.addCluster('web', [upstream.port]);
});

afterEach(() => {
  for (const session of sessions.splice(0)) session.destroy();
  for (const peer of peers.splice(0)) peer.destroy();
  upstream.close();
  path.close();
});

describe('which protocol', () => {
  it('is seen from the preface where either may come, in any cut of the first bytes', async () => {
    const port = await path.serve();
    const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0';
    for (const cut of [1, 2, 3, 4, 20]) {
      const client = await RawPeer.connect(port);
      peers.push(client);
      client.send(preface.slice(0, cut));
      await new Promise((resolve) => setImmediate(resolve));
      client.send(preface.slice(cut));
      // Our SETTINGS, and the ACK of the client's.
      await client.receives('\0\0\0\x04\x01\0\0\0\0');
    }
    expect(path.counter('http', 'ingress', 'downstream_cx_http2_total')).toBe(5);
    expect(path.counter('http', 'ingress', 'downstream_cx_http1_total')).toBe(0);
    expect(path.gauge('http', 'ingress', 'downstream_cx_active')).toBe(5);
    expect(path.gauge('listener', '127.0.0.1:0', 'downstream_cx_active')).toBe(5);
    for (const peer of peers) peer.destroy();
    while (path.gauge('listener', '127.0.0.1:0', 'downstream_cx_active') > 0) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(path.gauge('http', 'ingress', 'downstream_cx_active')).toBe(0);
  });

  it('is HTTP/1 on the same listener for whoever speaks that', async () => {
    const client = await RawPeer.connect(await path.serve());
    peers.push(client);
    client.send('GET / HTTP/1.1\r\nhost: web\r\n\r\n');
    (await upstream.connection(0)).send(OK);
    expect(await client.receives('ok')).toContain('HTTP/1.1 200');
    expect(path.counter('http', 'ingress', 'downstream_cx_http1_total')).toBe(1);
    expect(path.counter('http', 'ingress', 'downstream_cx_http2_total')).toBe(0);
  });

  it('is what a first line without any HTTP in it is held to: GOAWAY, and no HTTP/1 answer', async () => {
    const client = await RawPeer.connect(await path.serve());
    peers.push(client);
    client.send('INVALID CONNECTION PREFACE\r\n\r\n');
    const received = await client.ends();
    expect(received).toContain('bad-preface');
    expect(received).not.toContain('HTTP/1.1');
    expect(path.counter('http', 'ingress', 'downstream_http2_bad_preface')).toBe(1);
  });

  it('is not what a request with a wrong version is held to', async () => {
    const client = await RawPeer.connect(await path.serve());
    peers.push(client);
    client.send('GET / XTTP/1.1\r\nhost: web\r\n\r\n');
    expect(await client.ends()).toContain('HTTP/1.1 400 Bad Request');
  });

  it('is refused with 505 where only HTTP/1 is served', async () => {
    const client = await RawPeer.connect(await path.serve({ codecType: 'http1' }));
    peers.push(client);
    client.send('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    expect(await client.ends()).toContain('HTTP/1.1 505');
  });

  it('must be HTTP/2 where only that is served', async () => {
    const port = await path.serve({ codecType: 'http2' });
    const client = await RawPeer.connect(port);
    peers.push(client);
    client.send('GET / HTTP/1.1\r\nhost: web\r\n\r\n');
    expect(await client.ends()).toContain('bad-preface');
    expect(path.counter('http', 'ingress', 'downstream_http2_bad_preface')).toBe(1);
    const stream = get(await connect(port), '/');
    (await upstream.connection(0)).send(OK);
    expect((await answerOf(stream)).body).toBe('ok');
  });
});

describe('one stream', () => {
  it('becomes an HTTP/1.1 request with nothing of HTTP/2 in it, and the answer comes back', async () => {
    const session = await connect(await path.serve());
    const stream = session.request({
      ':path': '/a?b=c',
      ':authority': 'shop.example:80',
      te: 'trailers',
      'x-one': '1',
    });
    const host = await upstream.connection(0);
    const request = await host.receives('\r\n\r\n');
    expect(request).toMatch(/^GET \/a\?b=c HTTP\/1\.1\r\nhost: shop\.example:80\r\nx-one: 1\r\n/);
    expect(request).not.toMatch(/\r\nte:|\r\n:|transfer-encoding/);
    host.send(
      'HTTP/1.1 201 Made\r\nconnection: x-hop\r\nx-hop: 1\r\nkeep-alive: timeout=9\r\nx-two: 2\r\ncontent-length: 2\r\n\r\nok',
    );
    const { headers, body } = await answerOf(stream);
    expect(headers).toMatchObject({ ':status': 201, 'x-two': '2', 'content-length': '2', server: 'weft' });
    expect(Object.keys(headers)).not.toEqual(expect.arrayContaining(['x-hop']));
    expect(body).toBe('ok');
    const record = await path.recordsReach(1);
    expect(record).toMatchObject({ protocol: 20, status: 201, responseBodyBytes: 2, responseFlags: '' });
  });

  it('carries a body of unknown length as chunks, and trailers both ways', async () => {
    const session = await connect(await path.serve());
    const stream = session.request({ ':method': 'POST', ':path': '/' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '7' }));
    stream.end('hello');
    const host = await upstream.connection(0);
    const request = await host.receives('x-sum: 7\r\n\r\n');
    expect(request).toContain('transfer-encoding: chunked');
    expect(request).toContain('\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 7\r\n\r\n');
    host.send('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-check: 9\r\n\r\n');
    const { headers, body, trailers } = await answerOf(stream);
    expect(body).toBe('ok');
    expect(headers['content-length']).toBeUndefined();
    expect(trailers['x-check']).toBe('9');
  });

  it('keeps a declared length, refuses to pass on a shorter body', async () => {
    const session = await connect(await path.serve());
    const stream = session.request({ ':method': 'POST', ':path': '/', 'content-length': 9 });
    stream.on('error', () => undefined);
    stream.write('1234');
    const host = await upstream.connection(0);
    expect(await host.receives('1234')).toContain('content-length: 9');
    stream.end();
    await host.until(() => host.isClosed, 'the end of the upstream connection');
    const record = await path.recordsReach(1);
    expect(record).toMatchObject({ responseFlags: 'DPE', responseCodeDetails: 'http2.body-shorter-than-declared' });
    expect(path.counter('http', 'ingress', 'downstream_http2_body_shorter_than_declared')).toBe(1);
  });

  it('passes informational responses on', async () => {
    const session = await connect(await path.serve());
    const stream = session.request({ ':method': 'POST', ':path': '/', expect: '100-continue', 'content-length': 2 });
    const host = await upstream.connection(0);
    await host.receives('\r\n\r\n');
    const continued = once(stream, 'continue');
    host.send('HTTP/1.1 100 Continue\r\n\r\n');
    await continued;
    stream.end('hi');
    await host.receives('hi');
    host.send(OK);
    expect((await answerOf(stream)).body).toBe('ok');
  });

  it('answers HEAD with the length alone', async () => {
    const session = await connect(await path.serve());
    const stream = session.request({ ':method': 'HEAD', ':path': '/' });
    (await upstream.connection(0)).send('HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n');
    const { headers, body } = await answerOf(stream);
    expect(headers['content-length']).toBe('12');
    expect(body).toBe('');
  });
});

describe('many streams', () => {
  it('share a connection, end in any order, and reuse what served the ones before', async () => {
    const session = await connect(await path.serve());
    for (let round = 0; round < 3; round++) {
      const streams = [0, 1, 2].map((index) => get(session, `/${round}-${index}`));
      const answers = streams.map((stream) => answerOf(stream));
      for (const index of [2, 1, 0]) {
        const host = await upstream.connection(index);
        await host.receives(`GET /${round}-`);
        const [, name = ''] = new RegExp(`GET /(${round}-.) `).exec(host.received) ?? [];
        host.send(`HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n${name}`);
      }
      const bodies = (await Promise.all(answers)).map(({ body }) => body);
      expect(bodies).toEqual([`${round}-0`, `${round}-1`, `${round}-2`]);
    }
    expect(path.gauge('http', 'ingress', 'downstream_rq_active')).toBe(0);
    expect(path.counter('http', 'ingress', 'downstream_rq_total')).toBe(9);
  });

  it('are not disturbed when one of them is reset, and its upstream hears of it at once', async () => {
    const session = await connect(await path.serve());
    const kept = get(session, '/kept');
    const first = await upstream.connection(0);
    await first.receives('GET /kept');
    const dropped = get(session, '/dropped');
    dropped.on('error', () => undefined);
    const second = await upstream.connection(1);
    await second.receives('GET /dropped');
    dropped.close(http2.constants.NGHTTP2_CANCEL);
    await second.until(() => second.isClosed, 'the end of its upstream connection');
    first.send(OK);
    expect((await answerOf(kept)).body).toBe('ok');
    const record = path.records.find(({ path: target }) => target === '/dropped');
    expect(record).toMatchObject({ responseFlags: 'DC', responseCodeDetails: 'http2.remote_reset', status: 0 });
    expect(path.counter('http', 'ingress', 'downstream_http2_reset_by_peer')).toBe(1);
  });
});

describe('back-pressure', () => {
  it('credits the client only for what the upstream has taken', async () => {
    const server = net.createServer({ pauseOnConnect: true });
    server.listen(0, '127.0.0.1');
    const accepted = once(server, 'connection');
    await once(server, 'listening');
    path.addCluster('web', [(server.address() as net.AddressInfo).port]);
    const session = await connect(await path.serve());
    const stream = session.request({ ':method': 'POST', ':path': '/' });
    const [host] = (await accepted) as [net.Socket];
    const total = 30_000_000;
    const written = new Promise<void>((resolve) => {
      stream.end(Buffer.alloc(total, 'x'), () => resolve());
    });
    const taken = (): number => session.socket.bytesWritten;
    for (let before = -1; before !== taken(); ) {
      before = taken();
      await new Promise((resolve) => setTimeout(resolve, 150));
    }
    expect(taken()).toBeLessThan(total);
    // Reads may cut the last chunk in two.
    let tail = '';
    host.on('data', (bytes: Buffer) => {
      tail = (tail + bytes.subarray(-5).toString('latin1')).slice(-5);
      if (tail === '0\r\n\r\n') host.write(OK);
    });
    host.resume();
    await written;
    expect((await answerOf(stream)).body).toBe('ok');
    expect((await path.recordsReach(1)).requestBodyBytes).toBe(total);
    host.destroy();
    server.close();
  });

  it('stops reading the upstream while the client does not read', async () => {
    const session = await connect(await path.serve());
    const stream = get(session, '/');
    const host = await upstream.connection(0);
    await host.receives('\r\n\r\n');
    const total = 30_000_000;
    host.socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${total}\r\n\r\n`);
    host.socket.write(Buffer.alloc(total, 'y'));
    await once(stream, 'response');
    for (let before = -1; before !== host.socket.bytesWritten - host.socket.writableLength; ) {
      before = host.socket.bytesWritten - host.socket.writableLength;
      await new Promise((resolve) => setTimeout(resolve, 150));
    }
    expect(host.socket.writableLength).toBeGreaterThan(0);
    let received = 0;
    for await (const bytes of stream) received += (bytes as Buffer).length;
    expect(received).toBe(total);
  });
});

describe('answers of our own', () => {
  it('are HTTP/2 responses', async () => {
    path.assign('web', []);
    const { headers, body } = await answerOf(get(await connect(await path.serve()), '/'));
    expect(headers[':status']).toBe(503);
    expect(body).toBe('no healthy upstream');
    expect((await path.recordsReach(1)).responseFlags).toBe('UH');
  });

  it('tell a gRPC caller a gRPC status, trailers only', async () => {
    path.assign('web', []);
    const session = await connect(await path.serve());
    const stream = session.request({
      ':method': 'POST',
      ':path': '/a.B/C',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    const { headers, body } = await answerOf(stream);
    expect(headers).toMatchObject({ ':status': 200, 'grpc-status': '14', 'grpc-message': 'no healthy upstream' });
    expect(headers['content-type']).toBe('application/grpc');
    expect(headers['content-length']).toBeUndefined();
    expect(body).toBe('');
  });

  it('let the client stop a request that nobody reads', async () => {
    path.assign('web', []);
    const session = await connect(await path.serve());
    const stream = session.request({ ':method': 'POST', ':path': '/' });
    stream.write('more will come');
    const closed = once(stream, 'close');
    const { headers } = await answerOf(stream);
    await closed;
    expect(headers[':status']).toBe(503);
    expect(stream.rstCode).toBe(http2.constants.NGHTTP2_NO_ERROR);
  });

  it('time out a route that takes too long', async () => {
    const session = await connect(await path.serve(routed({ timeoutMs: 30 })));
    const { headers } = await answerOf(get(session, '/'));
    expect(headers[':status']).toBe(504);
    expect((await path.recordsReach(1)).responseFlags).toBe('UT');
  });
});

describe('an upstream that breaks off', () => {
  it('resets the stream, not the connection', async () => {
    const session = await connect(await path.serve());
    const stream = get(session, '/');
    const host = await upstream.connection(0);
    await host.receives('\r\n\r\n');
    host.send('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart');
    await once(stream, 'response');
    const failed = once(stream, 'error');
    stream.resume();
    host.destroy();
    await failed;
    expect(stream.rstCode).toBe(http2.constants.NGHTTP2_INTERNAL_ERROR);
    expect(session.closed).toBe(false);
    expect((await path.recordsReach(1)).responseFlags).toBe('UC');
  });
});

describe('the end of a connection', () => {
  it('says goodbye in two steps, serves what is under way, and closes', async () => {
    const port = await path.serve({}, {}, 'going');
    const session = await connect(port);
    const stream = get(session, '/');
    const host = await upstream.connection(0);
    await host.receives('\r\n\r\n');
    const goaways: number[] = [];
    session.on('goaway', (code: number) => goaways.push(code));
    const drained = path.listeners.drain('all');
    await once(session, 'goaway');
    host.send(OK);
    expect((await answerOf(stream)).body).toBe('ok');
    await drained;
    expect(goaways.every((code) => code === 0)).toBe(true);
    expect(path.counter('http', 'ingress', 'downstream_cx_drain_close')).toBe(1);
  });

  it('comes when nothing was asked for the idle time', async () => {
    const session = await connect(await path.serve({ idleTimeoutMs: 40 }));
    await once(session, 'close');
    expect(path.counter('http', 'ingress', 'downstream_cx_idle_timeout')).toBe(1);
  });

  it('comes after the last request that a connection may carry', async () => {
    const session = await connect(await path.serve({ maxRequestsPerConnection: 1 }));
    const closed = once(session, 'close');
    const stream = get(session, '/');
    (await upstream.connection(0)).send(OK);
    expect((await answerOf(stream)).body).toBe('ok');
    await closed;
    expect(path.counter('http', 'ingress', 'downstream_cx_max_requests_reached')).toBe(1);
  });

  it('cancels what is under way when the client vanishes', async () => {
    const session = await connect(await path.serve());
    const stream = get(session, '/');
    stream.on('error', () => undefined);
    const host = await upstream.connection(0);
    await host.receives('\r\n\r\n');
    session.destroy();
    await host.until(() => host.isClosed, 'the end of its upstream connection');
    expect(await path.recordsReach(1)).toMatchObject({
      responseFlags: 'DC',
      responseCodeDetails: 'downstream_remote_disconnect',
    });
    expect(path.gauge('http', 'ingress', 'downstream_rq_active')).toBe(0);
  });
});

describe('http2_protocol_options', () => {
  it('are announced, and hold', async () => {
    const options = {
      ...UNSAID_HTTP2_OPTIONS,
      maxConcurrentStreams: 2,
      initialStreamWindowSizeBytes: 100_000,
      hpackTableSizeBytes: 512,
    };
    const session = await connect(await path.serve({ http2: options }));
    if (session.remoteSettings.maxConcurrentStreams !== 2) await once(session, 'remoteSettings');
    expect(session.remoteSettings).toMatchObject({
      maxConcurrentStreams: 2,
      initialWindowSize: 100_000,
      headerTableSize: 512,
      enableConnectProtocol: false,
    });
  });

  it('ask the client for a sign of life, and close what gives none', async () => {
    const http2 = { ...UNSAID_HTTP2_OPTIONS, connectionKeepaliveIntervalMs: 20, connectionKeepaliveTimeoutMs: 20 };
    const mute = await RawPeer.connect(await path.serve({ codecType: 'http2', http2 }));
    peers.push(mute);
    mute.socket.write(CLIENT_HELLO);
    expect(await mute.ends()).toContain('ping-timeout');
    expect(path.counter('http', 'ingress', 'downstream_http2_ping_timeout')).toBe(1);
    expect(path.counter('http', 'ingress', 'downstream_cx_protocol_error')).toBe(0);
  });

  it('have neighbours in the metadata of the listener, for what they cannot say', async () => {
    const metadata = { 'weft.http2_limits': { reset_burst: 3, resets_per_second: 0 } };
    const client = await RawPeer.connect(await path.serve({ codecType: 'http2' }, { metadata }));
    peers.push(client);
    const malformed = [1, 3, 5, 7].map((id) => headers(id, [[':method', 'GET']], true));
    client.socket.write(Buffer.concat([CLIENT_HELLO, ...malformed]));
    expect(await client.ends()).toContain('too-many-resets');
    expect(path.counter('http', 'ingress', 'downstream_http2_missing_authority')).toBe(4);
  });

  it('make a malformed request the end of its connection where they say so', async () => {
    const http2 = { ...UNSAID_HTTP2_OPTIONS, streamErrorOnInvalidHttpMessage: false };
    const client = await RawPeer.connect(await path.serve({ codecType: 'http2', http2 }));
    peers.push(client);
    client.socket.write(Buffer.concat([CLIENT_HELLO, headers(1, [[':method', 'GET']], true)]));
    expect(await client.ends()).toContain('missing-authority');
  });
});

describe('WebSocket by extended CONNECT', () => {
  it('becomes an HTTP/1.1 upgrade with a key, and then a tunnel', async () => {
    const session = await connect(await path.serve({ upgradeTypes: ['websocket'] }));
    if (session.remoteSettings.enableConnectProtocol !== true) await once(session, 'remoteSettings');
    const stream = session.request({
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':scheme': 'http',
      ':path': '/chat',
      ':authority': 'web',
      'sec-websocket-version': '13',
    });
    const host = await upstream.connection(0);
    const request = await host.receives('\r\n\r\n');
    expect(request).toMatch(/^GET \/chat HTTP\/1\.1\r\n/);
    expect(request).toMatch(/\r\nsec-websocket-key: [A-Za-z0-9+/]{22}==\r\n/);
    expect(request).toContain('connection: upgrade\r\nupgrade: websocket\r\n');
    expect(request).not.toContain('transfer-encoding');
    host.send(
      'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: x\r\n\r\nfrom host',
    );
    const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
    expect(headers[':status']).toBe(200);
    expect(headers['sec-websocket-accept']).toBeUndefined();
    const [bytes] = (await once(stream, 'data')) as [Buffer];
    expect(bytes.toString()).toBe('from host');
    stream.write('from client');
    await host.receives('from client');
    stream.end();
    await host.until(() => host.isEnded, 'FIN');
    host.socket.end();
    await path.recordsReach(1);
    expect(path.gauge('http', 'ingress', 'downstream_cx_upgrades_active')).toBe(0);
  });
});
