import { once } from 'node:events';
import http2 from 'node:http2';
import type net from 'node:net';
import tls from 'node:tls';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Pair, spiffe, TestAuthority } from '../../../test/support/certificates.ts';
import { endpoint, httpListener } from '../../../test/support/resources.ts';
import type { Cluster } from '../../resource/cluster.ts';
import { UNSAID_HTTP2_OPTIONS } from '../../resource/http2-options.ts';
import type { CommonTlsContext, SubjectAltNameMatcher, UpstreamTlsContext } from '../../resource/transport-socket.ts';
import { DataPath, RawPeer, unusedPort } from './data-path-fixture.ts';
import { commonContext, shown, tcpChain } from './tls-listener-fixture.ts';

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
const GET = 'GET / HTTP/1.1\r\nhost: web\r\n\r\n';
let authority: TestAuthority;
let stranger: TestAuthority;
let web: Pair;
let api: Pair;
let path: DataPath;
const closers: (() => void)[] = [];

beforeAll(async () => {
  authority = await TestAuthority.create();
  stranger = await TestAuthority.create('Stranger');
  web = await authority.issue({ names: [spiffe('web')] });
  api = await authority.issue({ names: [spiffe('api')] });
});

beforeEach(() => {
  path = new DataPath();
});

afterEach(() => {
  for (const close of closers.splice(0)) close();
  path.close();
});

function named(path: string): SubjectAltNameMatcher {
  return { sanType: 'uri', matcher: { kind: 'exact', value: `spiffe://mesh.test/${path}`, ignoreCase: false } };
}

/** As `web`, to whoever is `api` by our authority. */
function upstreamTls(overrides: Partial<CommonTlsContext> = {}, name = 'api'): UpstreamTlsContext {
  const common = commonContext(web, authority.certificatePem, overrides, [named(name)]);
  return { kind: 'upstreamTls', common, sni: 'api.test' };
}

/** A host that speaks TLS, scripted in bytes. */
class TlsHost {
  readonly sockets: tls.TLSSocket[] = [];
  readonly peers: RawPeer[] = [];
  readonly port: number;
  #waiters: (() => void)[] = [];

  private constructor(server: net.Server) {
    const address = server.address();
    this.port = typeof address === 'object' && address !== null ? address.port : 0;
    server.on('secureConnection', (socket: tls.TLSSocket) => {
      this.sockets.push(socket);
      this.peers.push(new RawPeer(socket));
      for (const resolve of this.#waiters.splice(0)) resolve();
    });
    closers.push(() => {
      for (const socket of this.sockets) socket.destroy();
      server.close();
    });
  }

  static async listen(pair: Pair, options: tls.TlsOptions = {}): Promise<TlsHost> {
    const mutual = { requestCert: true, rejectUnauthorized: true, ca: authority.certificatePem };
    const server = tls.createServer({ ...shown(pair), ...mutual, allowHalfOpen: true, ...options });
    server.on('tlsClientError', () => undefined);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new TlsHost(server);
  }

  async peer(index: number): Promise<RawPeer> {
    while (this.peers[index] === undefined) await new Promise<void>((resolve) => this.#waiters.push(resolve));
    return this.peers[index];
  }
}

async function client(overrides: Partial<Cluster>, ports: readonly number[]): Promise<RawPeer> {
  path.addCluster('web', ports, overrides);
  const peer = await RawPeer.connect(await path.serve());
  closers.push(() => peer.destroy());
  return peer;
}

const ssl = (name: string): number => path.counter('cluster', 'web', `ssl.${name}`);

describe('HTTP/1.1 to a host over TLS', () => {
  it('goes on to additional_addresses until one can be reached, and not past one that is a stranger', async () => {
    const host = await TlsHost.listen(api);
    const strange = await TlsHost.listen(await stranger.issue({ names: [spiffe('api')] }), { requestCert: false });
    const at = (port: number) => ({ kind: 'ip', host: '127.0.0.1', port }) as const;
    path.addCluster('web', [endpoint(await unusedPort(), { additionalAddresses: [at(host.port)] })], {
      transportSocket: upstreamTls(),
    });
    const peer = await RawPeer.connect(await path.serve());
    closers.push(() => peer.destroy());
    peer.send(GET);
    const served = await host.peer(0);
    await served.receives('GET');
    served.send(OK);
    await peer.receives('ok');
    path.addCluster('web', [endpoint(strange.port, { additionalAddresses: [at(host.port)] })], {
      transportSocket: upstreamTls(),
    });
    peer.send(GET);
    expect(await peer.receives('503')).toContain('HTTP/1.1 503');
    expect(host.peers.length).toBe(1);
  });

  it('shows our certificate, asks by name, checks who answers, and keeps the connection', async () => {
    const host = await TlsHost.listen(api, { ALPNProtocols: ['http/1.1'] });
    const downstream = await client({ transportSocket: upstreamTls() }, [host.port]);
    for (const round of [1, 2]) {
      downstream.send(GET);
      const peer = await host.peer(0);
      await peer.until(() => peer.received.split('GET / HTTP/1.1').length === round + 1, 'the request');
      peer.send(OK);
      await downstream.until(() => downstream.received.split('200 OK').length === round + 1, 'the answer');
    }
    const [socket] = host.sockets;
    expect(socket?.getPeerX509Certificate()?.subjectAltName).toBe('URI:spiffe://mesh.test/web');
    expect(socket === undefined ? '' : Reflect.get(socket, 'servername')).toBe('api.test');
    expect(socket?.alpnProtocol).toBe('http/1.1');
    expect(ssl('handshake')).toBe(1);
  });

  const refusals: [string, string, () => Promise<Pair>][] = [
    ['of another name', 'fail_verify_san', () => authority.issue({ names: [spiffe('db')] })],
    ['that two names share', 'fail_verify_san', () => authority.issue({ names: [spiffe('api'), spiffe('db')] })],
    ['of another authority', 'fail_verify_error', () => stranger.issue({ names: [spiffe('api')] })],
    [
      'that has expired',
      'fail_verify_error',
      () => authority.issue({ names: [spiffe('api')], notAfterMs: Date.now() - 1 }),
    ],
  ];
  it.each(refusals)('sends nothing to a host with a certificate %s', async (_what, counter, issue) => {
    const host = await TlsHost.listen(await issue());
    const downstream = await client({ transportSocket: upstreamTls() }, [host.port]);
    downstream.send(GET);
    await downstream.receives('HTTP/1.1 503 ');
    expect((await path.recordsReach(1)).responseFlags).toBe('UF');
    expect([ssl(counter), ssl('handshake')]).toEqual([1, 0]);
    for (const peer of host.peers) expect((await peer.ends()) || peer.received).toBe('');
  });

  it('fails where the host does not speak TLS at all', async () => {
    const plain = (await import('node:net')).createServer((socket) => {
      socket.on('error', () => undefined);
      socket.end('HTTP/1.1 400 Bad\r\n\r\n');
    });
    plain.listen(0, '127.0.0.1');
    await once(plain, 'listening');
    closers.push(() => plain.close());
    const address = plain.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const downstream = await client({ transportSocket: upstreamTls() }, [port]);
    downstream.send(GET);
    await downstream.receives('HTTP/1.1 503 ');
    expect(ssl('connection_error')).toBe(1);
  });

  it('gives up within the connect timeout where a handshake hangs', async () => {
    const silent = (await import('node:net')).createServer((socket) => socket.resume());
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    closers.push(() => silent.close());
    const address = silent.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const downstream = await client({ transportSocket: upstreamTls(), connectTimeoutMs: 30 }, [port]);
    downstream.send(GET);
    await downstream.receives('HTTP/1.1 503 ');
    expect(path.counter('cluster', 'web', 'upstream_cx_connect_timeout')).toBe(1);
  });

  it('lends no connection that was made under another rule; a new certificate of ours keeps it', async () => {
    const host = await TlsHost.listen(api);
    const downstream = await client({ transportSocket: upstreamTls() }, [host.port]);
    const exchange = async (index: number, answers: number): Promise<void> => {
      downstream.send(GET);
      const peer = await host.peer(index);
      await peer.receives('\r\n\r\n');
      peer.received = '';
      peer.send(OK);
      await downstream.until(() => downstream.received.split('200 OK').length === answers + 1, 'the answer');
    };
    await exchange(0, 1);
    const renewed = await authority.issue({ names: [spiffe('web')] });
    const { certificates } = commonContext(renewed);
    path.addCluster('web', [host.port], { transportSocket: upstreamTls({ certificates }) });
    await exchange(0, 2);
    path.addCluster('web', [host.port], { transportSocket: upstreamTls({}, 'db') });
    downstream.send(GET);
    await downstream.receives('HTTP/1.1 503 ');
    expect(ssl('fail_verify_san')).toBe(1);
  });
});

describe('which protocol', () => {
  async function http2Host(allowHTTP1: boolean): Promise<{ port: number; versions: string[] }> {
    const versions: string[] = [];
    const server = http2.createSecureServer({ ...shown(api), allowHTTP1 }, (request, response) => {
      versions.push(request.httpVersion);
      response.end('ok');
    });
    const sessions: http2.Http2Session[] = [];
    server.on('session', (session) => sessions.push(session));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    closers.push(() => {
      for (const session of sessions) session.destroy();
      server.close();
    });
    const address = server.address();
    return { port: typeof address === 'object' && address !== null ? address.port : 0, versions };
  }

  it('is HTTP/2 where the cluster says so', async () => {
    const host = await http2Host(false);
    const upstreamProtocol = { kind: 'explicitHttp2', http2: UNSAID_HTTP2_OPTIONS } as const;
    const downstream = await client({ transportSocket: upstreamTls(), upstreamProtocol }, [host.port]);
    downstream.send(GET);
    await downstream.receives('ok\r\n0\r\n');
    expect(host.versions).toEqual(['2.0']);
  });

  it('is found out by ALPN: HTTP/2 from a host that has it, many requests on the connection that asked', async () => {
    const host = await http2Host(true);
    const upstreamProtocol = { kind: 'auto', http2: UNSAID_HTTP2_OPTIONS } as const;
    const downstream = await client({ transportSocket: upstreamTls(), upstreamProtocol }, [host.port]);
    for (const round of [1, 2]) {
      downstream.send(GET);
      await downstream.until(() => downstream.received.split('ok\r\n0\r\n').length === round + 1, 'the answer');
    }
    expect(host.versions).toEqual(['2.0', '2.0']);
    expect(path.counter('cluster', 'web', 'upstream_cx_total')).toBe(1);
  });

  it('is found out by ALPN: HTTP/1.1 from a host that has no more', async () => {
    const host = await TlsHost.listen(api, { ALPNProtocols: ['http/1.1'] });
    const upstreamProtocol = { kind: 'auto', http2: UNSAID_HTTP2_OPTIONS } as const;
    const downstream = await client({ transportSocket: upstreamTls(), upstreamProtocol }, [host.port]);
    for (const round of [1, 2]) {
      downstream.send(GET);
      const peer = await host.peer(0);
      await peer.until(() => peer.received.split('GET / HTTP/1.1').length === round + 1, 'the request');
      peer.send(OK);
      await downstream.until(() => downstream.received.split('200 OK').length === round + 1, 'the answer');
    }
    expect(path.counter('cluster', 'web', 'upstream_cx_total')).toBe(1);
    expect(path.gauge('cluster', 'web', 'upstream_rq_pending_active')).toBe(0);
  });

  it('cannot be found out where nobody answers, and whoever waits is told', async () => {
    const host = await TlsHost.listen(await stranger.issue());
    const upstreamProtocol = { kind: 'auto', http2: UNSAID_HTTP2_OPTIONS } as const;
    const downstream = await client({ transportSocket: upstreamTls(), upstreamProtocol }, [host.port]);
    downstream.send(GET);
    await downstream.receives('HTTP/1.1 503 ');
    expect(path.counter('cluster', 'web', 'upstream_cx_connect_fail')).toBe(1);
    expect(path.gauge('cluster', 'web', 'upstream_rq_pending_active')).toBe(0);
  });
});

describe('TCP to a host over TLS', () => {
  async function tcpClient(host: TlsHost, transportSocket: UpstreamTlsContext): Promise<RawPeer> {
    path.addCluster('web', [host.port], { transportSocket });
    await path.apply([httpListener('l', {}, { filterChains: [tcpChain(undefined, 'web')] })]);
    const peer = await RawPeer.connect(path.listeners.get('l')?.port ?? 0);
    closers.push(() => peer.destroy());
    return peer;
  }

  it('carries both directions and each FIN', async () => {
    const host = await TlsHost.listen(api);
    const downstream = await tcpClient(host, upstreamTls());
    downstream.send('first');
    downstream.socket.end();
    const peer = await host.peer(0);
    expect(await peer.ends()).toBe('first');
    peer.send('and then');
    peer.socket.end();
    expect(await downstream.ends()).toBe('and then');
  });

  it('sends nothing to a host that is somebody else', async () => {
    const host = await TlsHost.listen(await authority.issue({ names: [spiffe('db')] }));
    const downstream = await tcpClient(host, upstreamTls());
    downstream.send('secret');
    await downstream.ends();
    expect(ssl('fail_verify_san')).toBe(1);
    for (const peer of host.peers) expect((await peer.ends()) || peer.received).toBe('');
  });
});

describe('transport_socket_matches', () => {
  it('chooses by what the endpoint says of itself', async () => {
    const secure = await TlsHost.listen(api);
    const matches = [{ match: { tlsMode: 'mesh' }, transportSocket: upstreamTls() }];
    const metadata = { 'envoy.transport_socket_match': { tlsMode: 'mesh' } };
    path.addCluster('web', [{ ...endpoint(secure.port), metadata }], { transportSocketMatches: matches });
    const downstream = await RawPeer.connect(await path.serve());
    closers.push(() => downstream.destroy());
    downstream.send(GET);
    const peer = await secure.peer(0);
    await peer.receives('GET /');
    peer.send(OK);
    await downstream.receives('ok');
    path.assign('web', [{ ...endpoint(secure.port), metadata: {} }]);
    downstream.send(GET);
    await downstream.receives('HTTP/1.1 503 ');
  });
});
