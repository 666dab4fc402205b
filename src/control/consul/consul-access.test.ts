import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ConsulAccess, ConsulTls } from './consul-access.ts';
import { ConsulHttp } from './consul-http.ts';
import { TestAuthority, type TestCertificate } from './testing/certificates.ts';
import { FakeConsul } from './testing/fake-consul.ts';

const PATH = '/v1/config/service-router';

let folder: string;
let authority: TestAuthority;
let server: TestCertificate;
let fake: FakeConsul;
let http: ConsulHttp | undefined;
let nowMs = 0;

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

async function ask(access: Partial<ConsulAccess>): Promise<unknown> {
  http ??= new ConsulHttp({ addresses: [fake.address], nowMs: () => nowMs, ...access });
  return (await http.ask(PATH, {}, { deadlineMs: 5_000 })).json();
}

const withCa = (tls: ConsulTls = {}): Partial<ConsulAccess> => ({
  tls: { caFile: file('ca.pem', authority.cert), ...tls },
});

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'weft-access-'));
  authority = await TestAuthority.make('mesh');
  server = await authority.sign({ type: 'ip', value: '127.0.0.1' });
  http = undefined;
  nowMs = 0;
});

afterEach(async () => {
  await http?.close();
  await fake.stop();
  rmSync(folder, { recursive: true });
});

async function startTls(options: object = {}): Promise<void> {
  fake = await FakeConsul.start(0, { ...server, ...options });
  fake.set(PATH, ['one']);
}

describe('TLS to Consul', () => {
  it('trusts the authority it is given', async () => {
    await startTls();
    expect(await ask(withCa())).toEqual(['one']);
  });

  it('trusts the authorities of a folder', async () => {
    await startTls();
    file('other.pem', (await TestAuthority.make('other')).cert);
    file('ca.pem', authority.cert);
    expect(await ask({ tls: { caFolder: folder } })).toEqual(['one']);
  });

  it('trusts nobody else, and says which variable to set', async () => {
    await startTls();
    await expect(ask({})).rejects.toThrow("set CONSUL_CACERT to the authority that signed Consul's certificate");
  });

  it('asks for the name in the certificate, and for another one where it is told to', async () => {
    server = await authority.sign({ type: 'dns', value: 'server.dc1.consul' });
    await startTls();
    await expect(ask(withCa())).rejects.toThrow("set CONSUL_TLS_SERVER_NAME to a name in Consul's certificate");
    await http?.close();
    http = undefined;
    expect(await ask(withCa({ serverName: 'server.dc1.consul' }))).toEqual(['one']);
  });

  it('shows its own certificate to a Consul that demands one, and says so where it has none', async () => {
    await startTls({ ca: authority.cert, requestCert: true, rejectUnauthorized: true });
    await expect(ask(withCa())).rejects.toThrow('set CONSUL_CLIENT_CERT and CONSUL_CLIENT_KEY');
    await http?.close();
    http = undefined;
    const own = await authority.sign({ type: 'dns', value: 'control' });
    const tls = { certificateFile: file('c.pem', own.cert), keyFile: file('k.pem', own.key) };
    expect(await ask(withCa(tls))).toEqual(['one']);
  });

  it('takes a certificate that was replaced for its next connection', async () => {
    await startTls();
    const caFile = file('ca.pem', (await TestAuthority.make('other')).cert);
    const access = { tls: { caFile } };
    await expect(ask(access)).rejects.toThrow('CONSUL_CACERT');
    writeFileSync(caFile, `${authority.cert}\n`);
    nowMs += 2_000;
    expect(await ask(access)).toEqual(['one']);
  });

  it('verifies nothing where it is told to', async () => {
    await startTls();
    expect(await ask({ tls: { verify: false } })).toEqual(['one']);
  });

  it('names the scheme where one side speaks TLS and the other does not', async () => {
    fake = await FakeConsul.start();
    await expect(ask({ addresses: [fake.address.replace('http:', 'https:')] })).rejects.toThrow(
      'unset CONSUL_HTTP_SSL',
    );
  });

  it.each([
    ['CONSUL_CACERT', { caFile: '/nowhere/ca.pem' }],
    ['CONSUL_CAPATH', { caFolder: '/nowhere' }],
    ['CONSUL_CLIENT_CERT', { certificateFile: '/nowhere/c.pem', keyFile: '/nowhere/k.pem' }],
    ['CONSUL_CLIENT_CERT and CONSUL_CLIENT_KEY belong together', { certificateFile: '/etc/hosts' }],
  ])('refuses to start without the file, naming %s', async (name, tls) => {
    await startTls();
    await expect(ask({ tls })).rejects.toThrow(name);
  });
});

describe('who asks, and for whose data', () => {
  beforeEach(async () => {
    fake = await FakeConsul.start();
    fake.set(PATH, ['one']);
  });

  it('sends the token of a file before any other, and the one that replaces it', async () => {
    const tokenFile = file('token', 'first\n');
    await ask({ token: 'other', tokenFile });
    expect(fake.lastHeaders['x-consul-token']).toBe('first');
    writeFileSync(tokenFile, 'second, and longer');
    nowMs += 2_000;
    await ask({});
    expect(fake.lastHeaders['x-consul-token']).toBe('second, and longer');
    rmSync(tokenFile);
    nowMs += 2_000;
    await ask({});
    expect(fake.lastHeaders['x-consul-token']).toBe('second, and longer');
  });

  it('puts datacenter, namespace and partition into every question', async () => {
    await ask({ datacenter: 'dc2', namespace: 'team', partition: 'part' });
    expect(fake.questions).toEqual([`${PATH}?dc=dc2&ns=team&partition=part`]);
  });
});
