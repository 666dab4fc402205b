import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Pair, spiffe, TestAuthority } from '../../../test/support/certificates.ts';
import { commonTls, TlsFixture, trusting, wanted } from './tls-fixture.ts';

let authority: TestAuthority;
let web: Pair;
let api: Pair;
let fixture: TlsFixture;

beforeAll(async () => {
  authority = await TestAuthority.create();
  web = await authority.issue({ names: [spiffe('web'), { type: 'dns', value: 'web.test' }] });
  api = await authority.issue({ names: [spiffe('api')], subject: 'CN=api, O=Test' });
});

beforeEach(() => {
  fixture = new TlsFixture();
});

afterEach(() => fixture.close());

const mutual = () => ({
  server: fixture.downstream(
    commonTls(api, { validation: trusting(authority.certificatePem), alpnProtocols: ['h2', 'http/1.1'] }),
    true,
  ),
  client: fixture.upstream(
    commonTls(web, {
      validation: trusting(authority.certificatePem, wanted('uri', 'spiffe://mesh.test/api')),
      alpnProtocols: ['h2'],
    }),
  ),
});

describe('a handshake', () => {
  it('tells each end who the other is, what they speak, and by which name', async () => {
    const contexts = mutual();
    const { server, client } = await fixture.meet(contexts.server, contexts.client, 'API.test');
    expect(server.events).toEqual(['connected']);
    expect(client.events).toEqual(['connected']);
    expect(server.stream?.transport).toMatchObject({
      isTls: true,
      applicationProtocol: 'h2',
      serverName: 'api.test',
      tlsVersion: 'TLSv1.3',
      localUriNames: ['spiffe://mesh.test/api'],
      peerCertificate: { uriNames: ['spiffe://mesh.test/web'], dnsNames: ['web.test'], subject: 'O=Test,CN=web' },
    });
    expect(client.stream?.transport.peerCertificate?.uriNames).toEqual(['spiffe://mesh.test/api']);
    expect(server.stream?.transport.peerCertificate?.sha256Fingerprint).toMatch(/^[0-9a-f]{64}$/);
    expect(fixture.serverCounters.handshake.value).toBe(1);
    expect(fixture.clientCounters.handshake.value).toBe(1);
  });

  it('carries bytes both ways, and FIN through each half by itself', async () => {
    const contexts = mutual();
    const { server, client } = await fixture.meet(contexts.server, contexts.client);
    fixture.turn.enter();
    client.stream?.writeText('ping');
    client.stream?.finish();
    fixture.turn.leave();
    server.stream?.resume();
    await server.until(() => server.events.includes('finished'));
    expect(server.received).toBe('ping');
    const large = 'x'.repeat(300_000);
    fixture.turn.enter();
    const bytes = Buffer.from(large);
    for (let at = 0; at < bytes.length; at += 60_000) {
      server.stream?.writeBytes(bytes, at, Math.min(bytes.length, at + 60_000));
    }
    server.stream?.finish();
    fixture.turn.leave();
    await client.until(() => client.isOver);
    expect(client.received).toBe(large);
    expect(client.events).toEqual(['connected', 'finished', 'closed ']);
    await server.until(() => server.isOver);
    expect(fixture.turn.copies.heldBytes).toBe(0);
  });

  it('begins with what a listener filter has read of it', async () => {
    const contexts = mutual();
    const port = await fixture.listen();
    const accepted = fixture.accept(contexts.server, true);
    const client = fixture.dial(port, contexts.client, 'api.test');
    const server = await accepted;
    await server.until(() => server.events.length > 0);
    await client.until(() => client.events.length > 0);
    expect([server.events, client.events]).toEqual([['connected'], ['connected']]);
    expect(server.stream?.transport.serverName).toBe('api.test');
  });

  it('lets no byte through before its owner reads', async () => {
    const contexts = mutual();
    const port = await fixture.listen();
    const accepted = fixture.accept(contexts.server);
    const client = fixture.dial(port, contexts.client);
    client.onSecured = () => client.stream?.writeText('early');
    const server = await accepted;
    await server.until(() => server.events.length > 0);
    for (let round = 0; round < 10; round++) await new Promise((resolve) => setImmediate(resolve));
    expect(server.received).toBe('');
    server.stream?.resume();
    await server.until(() => server.received === 'early');
  });

  it('sends nothing of what was written before it is over', async () => {
    const contexts = mutual();
    const port = await fixture.listen();
    const accepted = fixture.accept(contexts.server);
    const client = fixture.dial(port, contexts.client);
    fixture.turn.enter();
    client.stream?.writeText('held ');
    client.stream?.writeBytes(Buffer.alloc(10_000, 'y'), 0, 10_000);
    client.stream?.finish();
    fixture.turn.leave();
    expect(client.stream?.flushedBytes).toBe(0);
    const server = await accepted;
    server.onSecured = () => server.stream?.resume();
    await server.until(() => server.events.includes('finished'));
    expect(server.received).toBe(`held ${'y'.repeat(10_000)}`);
  });

  it('is never taken up again from an earlier one', async () => {
    const server = fixture.downstream(commonTls(api));
    const port = await fixture.listen();
    const sessions: Buffer[] = [];
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      for (let round = 0; round < 2; round++) {
        const accepted = fixture.accept(server);
        const session = sessions.at(-1);
        const client = tls.connect({
          port,
          host: '127.0.0.1',
          ca: authority.certificatePem,
          checkServerIdentity: () => undefined,
          maxVersion: version,
          ...(session === undefined ? {} : { session }),
        });
        client.on('session', (ticket: Buffer) => sessions.push(ticket));
        await once(client, 'secureConnect');
        const end = await accepted;
        await end.until(() => end.events.length > 0);
        expect(client.isSessionReused()).toBe(false);
        const established = client.getSession();
        if (established !== undefined) sessions.push(established);
        client.destroy();
      }
    }
    expect(sessions.length).toBeGreaterThan(0);
  });

  it('closes with RST where the peer must notice', async () => {
    const contexts = mutual();
    const { server, client } = await fixture.meet(contexts.server, contexts.client);
    server.stream?.reset();
    await server.until(() => server.isOver);
    await client.until(() => client.isOver);
    expect(client.events.at(-1)).toBe('closed ECONNRESET');
  });
});

describe('a handshake fails, is counted and says why', () => {
  it('for plaintext on a TLS port', async () => {
    const port = await fixture.listen();
    const accepted = fixture.accept(mutual().server);
    const socket = net.connect(port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n'));
    socket.on('error', () => undefined);
    socket.resume();
    const server = await accepted;
    await server.until(() => server.isOver);
    expect(server.events).toEqual(['closed ERR_SSL_HTTP_REQUEST']);
    expect(fixture.serverCounters.connectionError.value).toBe(1);
    expect(server.stream?.tlsFailure?.kind).toBe('handshake');
  });

  it('for a client that leaves in the middle', async () => {
    const port = await fixture.listen();
    const accepted = fixture.accept(mutual().server);
    const socket = net.connect(port, '127.0.0.1', () => socket.end());
    const server = await accepted;
    await server.until(() => server.isOver);
    expect(fixture.serverCounters.connectionError.value).toBe(1);
    socket.destroy();
  });

  it('for a client without a certificate where one is required', async () => {
    const { server } = mutual();
    const anonymous = fixture.upstream(commonTls(undefined, { validation: trusting(authority.certificatePem) }));
    const met = await fixture.meet(server, anonymous);
    await met.server.until(() => met.server.isOver);
    expect(met.server.events).toHaveLength(1);
    expect(fixture.serverCounters.failVerifyNoCert.value).toBe(1);
    expect(fixture.serverCounters.connectionError.value).toBe(0);
  });

  it('where no protocol is spoken by both', async () => {
    const { server } = mutual();
    const client = fixture.upstream(commonTls(web, { alpnProtocols: ['spdy/1'] }));
    const met = await fixture.meet(server, client);
    await met.server.until(() => met.server.isOver);
    expect(met.server.events).toEqual(['closed ERR_SSL_NO_APPLICATION_PROTOCOL']);
  });

  it('where the versions do not meet', async () => {
    const common = commonTls(api);
    const server = fixture.downstream({ ...common, parameters: { ...common.parameters, minimumVersion: 'TLSv1.3' } });
    const other = commonTls(undefined);
    const client = fixture.upstream({ ...other, parameters: { ...other.parameters, maximumVersion: 'TLSv1.2' } });
    const met = await fixture.meet(server, client);
    await met.server.until(() => met.server.isOver);
    expect(met.server.stream?.tlsFailure?.kind).toBe('handshake');
  });

  it('while a secret is not there, at once', async () => {
    const client = fixture.upstream(commonTls(undefined, { certificateSecretNames: ['leaf'] }));
    const end = fixture.dial(1, client);
    await end.until(() => end.isOver);
    expect(end.stream?.tlsFailure?.message).toContain('secrets');
    expect(fixture.clientCounters.secretsNotReady.value).toBe(1);
    expect(client.problem).toContain('leaf');
  });

  it('but a host that cannot be reached is no affair of TLS', async () => {
    const closed = net.createServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const address = closed.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    closed.close();
    await once(closed, 'close');
    const end = fixture.dial(port, mutual().client);
    await end.until(() => end.isOver);
    expect(end.events).toEqual(['closed ECONNREFUSED']);
    expect(fixture.clientCounters.connectionError.value).toBe(0);
  });
});

describe('a certificate that changes', () => {
  it('is shown by the handshakes that come after, and leaves connections alone', async () => {
    const secret = (pair: Pair) => {
      const { certificates } = commonTls(pair);
      const [certificate] = certificates;
      if (certificate === undefined) throw new Error('no certificate');
      return { kind: 'tlsCertificate', name: 'leaf', certificate } as const;
    };
    fixture.materials.setSecret(secret(api));
    const server = fixture.downstream(commonTls(undefined, { certificateSecretNames: ['leaf'] }));
    const client = fixture.upstream(commonTls(undefined, { validation: trusting(authority.certificatePem) }));
    const before = await fixture.meet(server, client);
    expect(before.client.stream?.transport.peerCertificate?.uriNames).toEqual(['spiffe://mesh.test/api']);
    fixture.materials.setSecret(secret(web));
    const after = await fixture.meet(server, client);
    expect(after.client.stream?.transport.peerCertificate?.uriNames).toEqual(['spiffe://mesh.test/web']);
    before.server.stream?.resume();
    fixture.turn.enter();
    before.client.stream?.writeText('still here');
    fixture.turn.leave();
    await before.server.until(() => before.server.received === 'still here');
  });
});
