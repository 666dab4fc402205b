import { createHash } from 'node:crypto';
import { once } from 'node:events';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { httpListener, route, routeAction, routeConfiguration, virtualHost } from '../../../test/support/resources.ts';
import { UNSAID_HTTP2_OPTIONS } from '../../resource/http2-options.ts';
import { DataPath, RawPeer, RawUpstream } from './data-path-fixture.ts';

/** A WebSocket between ends that speak different versions: upgrade (RFC 6455) here, extended CONNECT (RFC 8441) there. */

const HTTP2 = { upstreamProtocol: { kind: 'explicitHttp2', http2: UNSAID_HTTP2_OPTIONS } } as const;
const WEBSOCKET = { upgradeTypes: ['websocket'] };
/** Key and proof of RFC 6455 §1.3. */
const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const PROOF = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';
const UPGRADE = [
  'GET /chat HTTP/1.1',
  'host: web',
  'connection: Upgrade',
  'upgrade: websocket',
  'sec-websocket-version: 13',
  `sec-websocket-key: ${KEY}`,
].join('\r\n');

let path: DataPath;
const closers: (() => void)[] = [];

beforeEach(() => {
  path = new DataPath();
});

afterEach(() => {
  for (const close of closers.splice(0)) close();
  path.close();
});

async function upgradingClient(port: number): Promise<RawPeer> {
  const client = await RawPeer.connect(port);
  closers.push(() => client.destroy());
  client.send(`${UPGRADE}\r\n\r\n`);
  return client;
}

type OnStream = (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void;

async function http2Host(enableConnectProtocol: boolean, onStream: OnStream): Promise<number> {
  const server = http2.createServer({ settings: { enableConnectProtocol } });
  const sessions: http2.ServerHttp2Session[] = [];
  server.on('session', (session: http2.ServerHttp2Session) => sessions.push(session));
  server.on('stream', (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => {
    stream.on('error', () => undefined);
    onStream(stream, headers);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  closers.push(() => {
    server.close();
    for (const session of sessions) session.destroy();
  });
  return (server.address() as AddressInfo).port;
}

/** An HTTP/1.1 app that grants an upgrade as it must, and echoes. */
async function http1App(): Promise<RawUpstream> {
  const app = await RawUpstream.listen();
  closers.push(() => app.close());
  return app;
}

async function grant(app: RawUpstream): Promise<RawPeer> {
  const peer = await app.connection(0);
  const request = await peer.receives('\r\n\r\n');
  const key = /\r\nsec-websocket-key: (.*)\r\n/.exec(request)?.[1] ?? '';
  const proof = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  peer.send(
    `HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: ${proof}\r\n\r\n`,
  );
  return peer;
}

describe('an HTTP/1.1 client and an HTTP/2 host', () => {
  it('are joined by an extended CONNECT, and the key is answered', async () => {
    let seen: http2.IncomingHttpHeaders = {};
    const port = await http2Host(true, (stream, headers) => {
      seen = headers;
      stream.respond({ ':status': 200, 'sec-websocket-protocol': 'chat' });
      stream.on('data', (bytes: Buffer) => stream.write(`echo ${String(bytes)}`));
      stream.on('end', () => stream.end('bye'));
    });
    path.addCluster('web', [port], HTTP2);
    const client = await upgradingClient(await path.serve(WEBSOCKET));
    const head = await client.receives('\r\n\r\n');
    expect(head).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\n/);
    expect(head).toContain(`\r\nsec-websocket-accept: ${PROOF}\r\n`);
    expect(head).toContain('\r\nsec-websocket-protocol: chat\r\n');
    expect(head).toContain('\r\nconnection: upgrade\r\nupgrade: websocket\r\n');
    expect(seen).toMatchObject({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/chat' });
    expect(seen['sec-websocket-version']).toBe('13');
    for (const name of ['sec-websocket-key', 'connection', 'upgrade']) expect(seen[name]).toBeUndefined();
    client.send('hello');
    await client.receives('echo hello');
    client.socket.end();
    await client.receives('bye');
    await client.ends();
    await path.recordsReach(1);
    expect(path.gauge('http', 'ingress', 'downstream_cx_upgrades_active')).toBe(0);
    expect(path.gauge('cluster', 'web', 'upstream_rq_active')).toBe(0);
  });

  it('whose host refuses are told so, and stay HTTP', async () => {
    const port = await http2Host(true, (stream) => {
      stream.respond({ ':status': 403 });
      stream.end('no');
    });
    path.addCluster('web', [port], HTTP2);
    const client = await upgradingClient(await path.serve(WEBSOCKET));
    const answer = await client.receives('no');
    expect(answer).toMatch(/^HTTP\/1\.1 403 /);
    expect(answer).not.toContain('sec-websocket-accept');
  });

  it('whose host offers no extended CONNECT get an error and nothing is sent', async () => {
    let streams = 0;
    const port = await http2Host(false, () => {
      streams += 1;
    });
    path.addCluster('web', [port], HTTP2);
    const client = await upgradingClient(await path.serve(WEBSOCKET));
    expect(await client.receives('\r\n\r\n')).toMatch(/^HTTP\/1\.1 500 /);
    expect(streams).toBe(0);
  });
});

describe('an HTTP/2 client and an HTTP/2 host', () => {
  async function tunnelTo(port: number): Promise<http2.ClientHttp2Stream> {
    path.addCluster('web', [port], HTTP2);
    const session = http2.connect(`http://127.0.0.1:${await path.serve(WEBSOCKET)}`);
    session.on('error', () => undefined);
    closers.push(() => session.destroy());
    if (session.remoteSettings.enableConnectProtocol !== true) await once(session, 'remoteSettings');
    const stream = session.request({
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':scheme': 'http',
      ':path': '/chat',
      ':authority': 'web',
      'sec-websocket-version': '13',
      'sec-websocket-protocol': 'chat',
    });
    stream.on('error', () => undefined);
    return stream;
  }

  it('are joined by an extended CONNECT on both sides, with no key on either', async () => {
    let seen: http2.IncomingHttpHeaders = {};
    const port = await http2Host(true, (stream, headers) => {
      seen = headers;
      stream.respond({ ':status': 200, 'sec-websocket-protocol': 'chat' });
      stream.on('data', (bytes: Buffer) => stream.write(`echo ${String(bytes)}`));
      stream.on('end', () => stream.end('bye'));
    });
    const stream = await tunnelTo(port);
    const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
    expect(headers).toMatchObject({ ':status': 200, 'sec-websocket-protocol': 'chat' });
    expect(headers['sec-websocket-accept']).toBeUndefined();
    expect(seen).toMatchObject({
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':path': '/chat',
      ':authority': 'web',
    });
    expect(seen).toMatchObject({ 'sec-websocket-version': '13', 'sec-websocket-protocol': 'chat' });
    for (const name of ['sec-websocket-key', 'connection', 'upgrade']) expect(seen[name]).toBeUndefined();
    stream.write('hello');
    expect(String(((await once(stream, 'data')) as [Buffer])[0])).toBe('echo hello');
    stream.end();
    let rest = '';
    for await (const bytes of stream) rest += String(bytes);
    expect(rest).toBe('bye');
    await path.recordsReach(1);
    expect(path.gauge('http', 'ingress', 'downstream_cx_upgrades_active')).toBe(0);
    expect(path.gauge('cluster', 'web', 'upstream_rq_active')).toBe(0);
  });

  it('a megabyte each way comes whole', async () => {
    const size = 1024 * 1024;
    const port = await http2Host(true, (stream) => {
      stream.respond({ ':status': 200 });
      stream.pipe(stream);
    });
    const stream = await tunnelTo(port);
    await once(stream, 'response');
    const sent = Buffer.from(Array.from({ length: size }, (_, at) => at % 251));
    stream.end(sent);
    const pieces: Buffer[] = [];
    for await (const bytes of stream) pieces.push(bytes as Buffer);
    expect(Buffer.concat(pieces).equals(sent)).toBe(true);
  });

  it('a refusal comes through as what it is', async () => {
    const port = await http2Host(true, (stream) => {
      stream.respond({ ':status': 403 });
      stream.end('no');
    });
    const stream = await tunnelTo(port);
    const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
    expect(headers[':status']).toBe(403);
    expect(String(((await once(stream, 'data')) as [Buffer])[0])).toBe('no');
  });

  it('a reset by either reaches the other', async () => {
    const codes: number[] = [];
    const streams: http2.ServerHttp2Stream[] = [];
    const port = await http2Host(true, (stream) => {
      streams.push(stream);
      stream.on('close', () => codes.push(stream.rstCode));
      stream.respond({ ':status': 200 });
    });
    const first = await tunnelTo(port);
    await once(first, 'response');
    first.close(http2.constants.NGHTTP2_CANCEL);
    await once(streams[0] as http2.ServerHttp2Stream, 'close');
    expect(codes).toEqual([http2.constants.NGHTTP2_CANCEL]);
    const second = await tunnelTo(port);
    await once(second, 'response');
    streams[1]?.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
    await once(second, 'close');
    expect(second.rstCode).not.toBe(http2.constants.NGHTTP2_NO_ERROR);
  });
});

describe('two sidecars that speak HTTP/2 between them', () => {
  /** The inbound listener sends to the app, the outbound one to the inbound. */
  async function twoHops(appPort: number): Promise<number> {
    const action = routeAction({ cluster: { kind: 'cluster', name: 'sidecar' } });
    const routeTable = routeConfiguration({ virtualHosts: [virtualHost({ routes: [route({ action })] })] });
    const inbound = httpListener('inbound', WEBSOCKET, { trafficDirection: 'inbound' });
    const routes = { kind: 'inline', routeConfiguration: routeTable } as const;
    await path.apply([inbound, httpListener('outbound', { ...WEBSOCKET, routes })]);
    path.addCluster('web', [appPort]);
    path.addCluster('sidecar', [path.listeners.get('inbound')?.port ?? 0], HTTP2);
    return path.listeners.get('outbound')?.port ?? 0;
  }

  it('join an HTTP/1.1 client and an HTTP/1.1 app, each with a key and a proof of its own', async () => {
    const app = await http1App();
    const client = await upgradingClient(await twoHops(app.port));
    const peer = await grant(app);
    expect(peer.received).not.toContain(KEY);
    expect(await client.receives('\r\n\r\n')).toContain(`\r\nsec-websocket-accept: ${PROOF}\r\n`);
    client.send('up');
    await peer.receives('up');
    peer.send('down');
    await client.receives('down');
    peer.socket.end();
    await client.ends();
    client.socket.end();
    await path.recordsReach(2);
    expect(path.gauge('http', 'ingress', 'downstream_cx_upgrades_active')).toBe(0);
  });

  it('join an HTTP/2 client and an HTTP/1.1 app', async () => {
    const app = await http1App();
    const session = http2.connect(`http://127.0.0.1:${await twoHops(app.port)}`);
    closers.push(() => session.destroy());
    if (session.remoteSettings.enableConnectProtocol !== true) await once(session, 'remoteSettings');
    const stream = session.request({
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':path': '/',
      ':authority': 'web',
    });
    const peer = await grant(app);
    const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
    expect(headers[':status']).toBe(200);
    expect(headers['sec-websocket-accept']).toBeUndefined();
    stream.write('up');
    await peer.receives('up');
    peer.send('down');
    expect(String(((await once(stream, 'data')) as [Buffer])[0])).toBe('down');
  });
});
