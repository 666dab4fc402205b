import { once } from 'node:events';
import http2 from 'node:http2';
import tls from 'node:tls';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Pair, spiffe, TestAuthority } from '../../../test/support/certificates.ts';
import { httpListener } from '../../../test/support/resources.ts';
import type { FilterChain, Listener } from '../../resource/listener.ts';
import { DataPath, RawPeer, RawUpstream } from './data-path-fixture.ts';
import {
  chainMatch,
  commonContext,
  dialTls,
  downstreamTls,
  httpChain,
  shown,
  tcpChain,
  tlsPeer,
} from './tls-listener-fixture.ts';

const ADDRESS = '127.0.0.1:0';
const SECOND_ADDRESS = { kind: 'ip', host: '127.0.0.2', port: 0 } as const;
const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
let authority: TestAuthority;
let stranger: TestAuthority;
let web: Pair;
let api: Pair;
let path: DataPath;
let upstream: RawUpstream;
const peers: RawPeer[] = [];

beforeAll(async () => {
  authority = await TestAuthority.create();
  stranger = await TestAuthority.create('Stranger');
  web = await authority.issue({ names: [spiffe('web')] });
  api = await authority.issue({ names: [spiffe('api')] });
});

beforeEach(async () => {
  path = new DataPath();
  upstream = await RawUpstream.listen();
  path.addCluster('web', [upstream.port]);
});

afterEach(() => {
  for (const peer of peers.splice(0)) peer.destroy();
  upstream.close();
  path.close();
});

async function listen(filterChains: readonly FilterChain[], overrides: Partial<Listener> = {}): Promise<number> {
  expect(await path.apply([httpListener('l', {}, { filterChains, ...overrides })])).toEqual([]);
  return path.listeners.get('l')?.port ?? 0;
}

function keep(peer: RawPeer): RawPeer {
  peers.push(peer);
  return peer;
}

const ssl = (name: string): number => path.counter('listener', ADDRESS, `ssl.${name}`);
const mutual = (alpnProtocols: readonly string[] = []) =>
  downstreamTls(commonContext(api, authority.certificatePem, { alpnProtocols }), true);

/** What a client would begin its next handshake with; TLS 1.3 hands it out when the first is over. */
async function sessionOf({ socket }: RawPeer, version: 'TLSv1.2' | 'TLSv1.3'): Promise<Buffer> {
  if (!(socket instanceof tls.TLSSocket)) throw new Error('no TLS');
  const [session] = (await once(socket, version === 'TLSv1.3' ? 'session' : 'secureConnect')) as [Buffer | undefined];
  return session ?? socket.getSession() ?? Buffer.alloc(0);
}

describe('a chain with TLS', () => {
  it('carries HTTP/1.1, says https, and keeps the connection', async () => {
    const port = await listen([httpChain(mutual())]);
    const client = keep(await tlsPeer(port, shown(web)));
    client.send('GET /a HTTP/1.1\r\nhost: web\r\n\r\n');
    const host = await upstream.connection(0);
    expect(await host.receives('\r\n\r\n')).toContain('x-forwarded-proto: https\r\n');
    host.send(OK);
    await client.receives('ok');
    client.send('GET /b HTTP/1.1\r\nhost: web\r\n\r\n');
    await host.receives('GET /b');
    host.send(OK);
    await client.until(() => client.received.split('200 OK').length === 3, 'the second answer');
    expect((await path.recordsReach(2)).scheme).toBe('https');
    expect([ssl('handshake'), ssl('connection_error')]).toEqual([1, 0]);
  });

  it('speaks HTTP/2 where ALPN says so', async () => {
    const port = await listen([httpChain(mutual(['h2', 'http/1.1']))]);
    const session = http2.connect(`https://127.0.0.1:${port}`, {
      ...shown(web),
      ca: authority.certificatePem,
      checkServerIdentity: () => undefined,
    });
    await once(session, 'connect');
    expect(session.alpnProtocol).toBe('h2');
    const stream = session.request({ ':path': '/' });
    const host = await upstream.connection(0);
    await host.receives('\r\n\r\n');
    host.send(OK);
    const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
    expect(headers[':status']).toBe(200);
    expect((await path.recordsReach(1)).protocol).toBe(20);
    session.destroy();
  });

  it('carries TCP, with FIN in each direction by itself', async () => {
    const port = await listen([tcpChain(mutual(), 'web')]);
    const client = keep(await tlsPeer(port, shown(web)));
    client.send('first');
    client.socket.end();
    const host = await upstream.connection(0);
    expect(await host.ends()).toBe('first');
    host.send('and then');
    host.socket.end();
    expect(await client.ends()).toBe('and then');
  });

  it('is chosen by server name and protocol, which the handshake then hears too', async () => {
    const port = await listen(
      [
        tcpChain(downstreamTls(commonContext(web)), 'web', { match: chainMatch({ serverNames: ['web.test'] }) }),
        httpChain(
          downstreamTls(commonContext(api, undefined, { alpnProtocols: ['h2', 'http/1.1'] })),
          {},
          {
            match: chainMatch({ serverNames: ['api.test'], applicationProtocols: ['http/1.1'] }),
          },
        ),
      ],
      { listenerFilters: [{ kind: 'tlsInspector' }] },
    );
    const client = keep(await tlsPeer(port, { servername: 'api.test', ALPNProtocols: ['http/1.1'] }));
    expect(client.socket instanceof tls.TLSSocket && client.socket.alpnProtocol).toBe('http/1.1');
    client.send('GET / HTTP/1.1\r\nhost: api\r\n\r\n');
    const host = await upstream.connection(0);
    await host.receives('GET / HTTP/1.1\r\n');
  });

  it('stands beside a plaintext chain on one port', async () => {
    const port = await listen([
      tcpChain(downstreamTls(commonContext(web)), 'web', { match: chainMatch({ transportProtocol: 'tls' }) }),
      httpChain(undefined, {}, { match: chainMatch({ transportProtocol: 'raw_buffer' }) }),
    ]);
    const plain = keep(await RawPeer.connect(port));
    plain.send('GET / HTTP/1.1\r\nhost: web\r\n\r\n');
    const host = await upstream.connection(0);
    await host.receives('x-forwarded-proto: http\r\n');
    host.send(OK);
    await plain.receives('ok');
    const client = keep(await tlsPeer(port));
    client.send('hello');
    await (await upstream.connection(1)).receives('hello');
  });
});

describe('who is turned away is counted and logged', () => {
  it('plaintext on a TLS port', async () => {
    const port = await listen([httpChain(mutual())]);
    const client = keep(await RawPeer.connect(port));
    client.send('GET / HTTP/1.1\r\nhost: web\r\n\r\n');
    await client.ends();
    expect(client.received).not.toContain('HTTP/1.1');
    expect(ssl('connection_error')).toBe(1);
    expect(path.refusals).toEqual([expect.stringMatching(/^listener l: 127\.0\.0\.1:\d+ is turned away: ERR_SSL_/)]);
    expect(path.gauge('listener', ADDRESS, 'downstream_cx_active')).toBe(0);
  });

  it('a client without a certificate, of another authority, or expired', async () => {
    const port = await listen([httpChain(mutual())]);
    const bad: [string, tls.ConnectionOptions][] = [
      ['fail_verify_no_cert', {}],
      ['fail_verify_error', shown(await stranger.issue())],
      ['fail_verify_error', shown(await authority.issue({ notAfterMs: Date.now() - 1_000 }))],
    ];
    for (const [, options] of bad) {
      const client = keep(dialTls(port, options));
      client.socket.on('secureConnect', () => client.send('GET / HTTP/1.1\r\nhost: web\r\n\r\n'));
      await client.ends();
    }
    expect([ssl('fail_verify_no_cert'), ssl('fail_verify_error'), ssl('handshake')]).toEqual([1, 2, 0]);
    expect(path.refusals).toHaveLength(3);
    expect(upstream.connections).toHaveLength(0);
    expect(path.records).toHaveLength(0);
  });

  it('a client that brings the session of a listener which asked for nothing', async () => {
    const open = httpListener('open', {}, { filterChains: [httpChain(downstreamTls(commonContext(api)))] });
    const closed = httpListener('closed', {}, { filterChains: [httpChain(mutual())], address: SECOND_ADDRESS });
    expect(await path.apply([open, closed])).toEqual([]);
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const first = keep(dialTls(path.listeners.get('open')?.port ?? 0, { maxVersion: version }));
      const session = await sessionOf(first, version);
      expect(session.length).toBeGreaterThan(0);
      const port = path.listeners.get('closed')?.port ?? 0;
      const second = keep(dialTls(port, { host: SECOND_ADDRESS.host, maxVersion: version, session }));
      await second.ends();
    }
    expect(path.counter('listener', '127.0.0.2:0', 'ssl.fail_verify_no_cert')).toBe(2);
    expect(path.counter('listener', '127.0.0.2:0', 'ssl.handshake')).toBe(0);
  });

  it('a client that says nothing, when its time is up', async () => {
    const port = await listen([{ ...httpChain(mutual()), transportSocketConnectTimeoutMs: 30 }]);
    const client = keep(await RawPeer.connect(port));
    await client.ends();
    expect(ssl('handshake_timeout')).toBe(1);
    expect(path.refusals[0]).toContain('no handshake within 30 ms');
  });

  it('everybody while a secret has not come, and nobody after', async () => {
    const socket = downstreamTls(commonContext(undefined, undefined, { certificateSecretNames: ['leaf'] }));
    const port = await listen([httpChain(socket)]);
    const early = keep(dialTls(port));
    await early.ends();
    expect(ssl('secrets_not_ready')).toBe(1);
    const [certificate] = commonContext(api).certificates;
    if (certificate === undefined) throw new Error('no certificate');
    path.tlsMaterials.setSecret({ kind: 'tlsCertificate', name: 'leaf', certificate });
    const client = keep(await tlsPeer(port));
    client.send('GET / HTTP/1.1\r\nhost: web\r\n\r\n');
    await (await upstream.connection(0)).receives('GET');
    expect(ssl('handshake')).toBe(1);
  });
});

describe('an update', () => {
  it('that changes whom to trust drains those that came in before; a new certificate of ours does not', async () => {
    const port = await listen([httpChain(mutual())]);
    const client = keep(await tlsPeer(port, shown(web)));
    const chain = (pair: Pair, ca: string) => httpChain(downstreamTls(commonContext(pair, ca), true));
    await listen([chain(web, authority.certificatePem)]);
    client.send('GET / HTTP/1.1\r\nhost: web\r\n\r\n');
    const host = await upstream.connection(0);
    await host.receives('\r\n\r\n');
    host.send(OK);
    expect(await client.receives('ok')).not.toContain('connection: close');
    await listen([chain(web, stranger.certificatePem)]);
    await client.ends();
    const refused = keep(dialTls(port, shown(web)));
    await refused.ends();
    expect(ssl('fail_verify_error')).toBe(1);
  });

  it('with a key that is not the certificate’s is a fault, and the old one stays', async () => {
    const port = await listen([httpChain(mutual())]);
    const mixed = { certificatePem: api.certificatePem, keyPem: web.keyPem };
    const filterChains = [httpChain(downstreamTls(commonContext(mixed)))];
    const faults = await path.apply([httpListener('l', {}, { filterChains })]);
    expect(faults[0]?.message).toContain('private key does not belong to the certificate');
    keep(await tlsPeer(port, shown(web)));
  });

  it('a listener that is drained closes handshakes under way at its deadline', async () => {
    path.close();
    path = new DataPath({ drainTimeoutMs: 30 });
    const port = await listen([httpChain(mutual())]);
    const silent = keep(await RawPeer.connect(port));
    await path.apply([]);
    await silent.ends();
  });
});
