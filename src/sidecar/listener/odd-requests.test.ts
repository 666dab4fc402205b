import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { httpFilter } from '../../../test/support/extensions.ts';
import { httpConnectionManager } from '../../../test/support/resources.ts';
import type { HttpConnectionManager } from '../../resource/http-connection-manager.ts';
import { DataPath, RawPeer, RawUpstream } from './data-path-fixture.ts';

let path: DataPath;
let upstream: RawUpstream;
const peers: RawPeer[] = [];
const OK = 'HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok';
const RBAC = 'envoy.extensions.filters.http.rbac.v3.RBAC';

/** Spellings that one server or another reads as /admin. */
const ADMIN_IN_DISGUISE = [
  '//admin',
  '/x/../admin',
  '/x/%2e%2e/admin',
  '/x/..%2fadmin',
  '/x/..%5cadmin',
  '/x\\..\\admin',
  '/;p/admin',
  '/x/..;/admin',
  '/%61dmin',
];

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

async function connect(port: number): Promise<RawPeer> {
  const client = await RawPeer.connect(port);
  peers.push(client);
  return client;
}

/** One request for each target, each on a connection of its own; answers the status line. */
async function refusal(port: number, target: string): Promise<string> {
  const client = await connect(port);
  client.send(`GET ${target} HTTP/1.1\r\nhost: web\r\n\r\n`);
  await client.until(() => client.received.includes('\r\n\r\n'), `an answer to ${target}`);
  return client.received.slice(0, client.received.indexOf('\r\n'));
}

function governed(action: string, prefix: string): Partial<HttpConnectionManager> {
  const permissions = [{ urlPath: { path: { prefix } } }];
  const json = { rules: { action, policies: { only: { permissions, principals: [{ any: true }] } } } };
  return { httpFilters: [httpFilter('rbac', RBAC, json), ...httpConnectionManager().httpFilters] };
}

describe('paths that servers read in several ways', () => {
  it('row 33: go on byte by byte where nothing was said about paths', async () => {
    const port = await path.serve();
    for (const [index, target] of [...ADMIN_IN_DISGUISE, '/x;p=1/y', '/a%00b'].entries()) {
      const client = await connect(port);
      client.send(`GET ${target} HTTP/1.1\r\nhost: web\r\n\r\n`);
      const host = await upstream.connection(index);
      expect(await host.receives('\r\n\r\n')).toMatch(/^GET /);
      expect(host.received.split(' ', 2)[1]).toBe(target);
      host.send(OK);
      await client.until(() => client.received.endsWith('ok'), 'the answer');
    }
  });

  it('row 33: are denied by a policy that denies what they may be read as', async () => {
    const port = await path.serve(governed('DENY', '/admin'));
    for (const target of ADMIN_IN_DISGUISE) {
      expect(`${target}: ${await refusal(port, target)}`).toBe(`${target}: HTTP/1.1 403 Forbidden`);
    }
    expect(upstream.connections).toHaveLength(0);
  });

  it('row 33: are not let in by a policy that allows only what they look like', async () => {
    const port = await path.serve(governed('ALLOW', '/x/'));
    for (const target of ['/x/../admin', '/x/%2e%2e/admin', '/x/..%2fadmin', '/x/..%5cadmin', '/x/..;/admin']) {
      expect(`${target}: ${await refusal(port, target)}`).toBe(`${target}: HTTP/1.1 403 Forbidden`);
    }
    expect(upstream.connections).toHaveLength(0);
  });
});

describe('CONNECT', () => {
  it.each([
    ['alone', ''],
    ['with early data', 'bytes of a tunnel'],
    ['with a request hidden behind it', 'GET /hidden HTTP/1.1\r\nhost: web\r\n\r\n'],
    ['with a body declared', 'GET /hidden HTTP/1.1\r\nhost: web\r\n\r\n', 'content-length: 38\r\n'],
  ])('row 57: %s is refused, and what follows it reaches nobody', async (_what, behind, fields = '') => {
    const client = await connect(await path.serve());
    client.send(`CONNECT web:80 HTTP/1.1\r\nhost: web:80\r\n${fields}\r\n${behind}`);
    const answer = await client.ends();
    expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
    expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(answer).toContain('connection: close\r\n');
    expect(upstream.connections).toHaveLength(0);
    expect(path.counter('http', 'ingress', 'downstream_cx_protocol_error')).toBe(1);
  });
});
