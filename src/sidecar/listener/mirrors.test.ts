import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { route, routeAction, routeConfiguration, virtualHost } from '../../../test/support/resources.ts';
import type { HttpConnectionManager } from '../../resource/http-connection-manager.ts';
import type { RouteAction } from '../../resource/route-configuration.ts';
import { DataPath, RawPeer, RawUpstream } from './data-path-fixture.ts';

let path: DataPath;
let upstream: RawUpstream;
let shadow: RawUpstream;
const peers: RawPeer[] = [];
const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

function mirrored(fraction = 1, overrides: Partial<RouteAction> = {}): Partial<HttpConnectionManager> {
  const requestMirrorPolicies = [{ cluster: 'shadow', fraction }];
  const host = virtualHost({ routes: [route({ action: routeAction({ requestMirrorPolicies, ...overrides }) })] });
  return { routes: { kind: 'inline', routeConfiguration: routeConfiguration({ virtualHosts: [host] }) } };
}

async function connect(manager: Partial<HttpConnectionManager>): Promise<RawPeer> {
  const client = await RawPeer.connect(await path.serve(manager));
  peers.push(client);
  return client;
}

const active = (cluster: string): number => path.gauge('cluster', cluster, 'upstream_rq_active');

beforeEach(async () => {
  path = new DataPath();
  upstream = await RawUpstream.listen();
  shadow = await RawUpstream.listen();
  path.addCluster('web', [upstream.port]);
  path.addCluster('shadow', [shadow.port]);
});

afterEach(() => {
  for (const peer of peers.splice(0)) peer.destroy();
  upstream.close();
  shadow.close();
  path.close();
  expect(active('shadow')).toBe(0);
  expect(path.clusters.get('shadow')?.breakers.active('requests')).toBe(0);
});

describe('mirrored requests', () => {
  it('go where a header says, in a cluster whose hosts it names', async () => {
    path.addOriginalDst('shadow', { httpHeaderName: 'x-to' });
    const client = await connect(mirrored());
    client.send(`GET / HTTP/1.1\r\nhost: web\r\nx-to: 127.0.0.1:${shadow.port}\r\n\r\n`);
    const [host, copy] = await Promise.all([upstream.connection(0), shadow.connection(0)]);
    await copy.receives('\r\n\r\n');
    copy.send(OK);
    await host.receives('\r\n\r\n');
    host.send(OK);
    await client.receives('ok');
    await expect.poll(() => active('shadow')).toBe(0);
  });

  it('go to both, body and all, marked in the authority; only the first answer is passed on', async () => {
    const client = await connect(mirrored(1, { prefixRewrite: '/v2' }));
    client.send('POST / HTTP/1.1\r\nhost: web:80\r\nx-own: 1\r\ncontent-length: 6\r\n\r\nabc');
    client.send('def');
    const [host, copy] = await Promise.all([upstream.connection(0), shadow.connection(0)]);
    expect(await host.receives('abcdef')).toContain('host: web:80\r\n');
    const copied = await copy.receives('abcdef');
    expect(copied).toMatch(/^POST \/v2 HTTP\/1\.1\r\nhost: web-shadow:80\r\n/);
    expect(copied).toContain('x-own: 1\r\n');
    expect(copied).toContain('content-length: 6\r\n');
    copy.send('HTTP/1.1 500 Internal Server Error\r\ncontent-length: 3\r\n\r\nbad');
    await expect.poll(() => path.counter('cluster', 'shadow', 'upstream_rq_500')).toBe(1);
    host.send(OK);
    expect(await client.receives('ok')).not.toContain('bad');
    expect((await path.recordsReach(1)).clusterName).toBe('web');
  });

  it('live on when the answer is there; the next request on the connection does not disturb them', async () => {
    const client = await connect(mirrored());
    client.send('GET /first HTTP/1.1\r\nhost: web\r\n\r\n');
    const host = await upstream.connection(0);
    await host.receives('\r\n\r\n');
    const copy = await shadow.connection(0);
    host.send(OK);
    await client.receives('ok');
    client.send('GET /second HTTP/1.1\r\nhost: web\r\n\r\n');
    await host.receives('GET /second');
    const second = await shadow.connection(1);
    expect(await copy.receives('\r\n\r\n')).toMatch(/^GET \/first /);
    expect(await second.receives('\r\n\r\n')).toMatch(/^GET \/second /);
    host.send(OK);
    copy.send(OK);
    second.send(OK);
    await expect.poll(() => path.counter('cluster', 'shadow', 'upstream_rq_200')).toBe(2);
  });

  it('that get no connection, or nobody to go to, are no matter to the request', async () => {
    path.assign('shadow', []);
    const client = await connect(mirrored());
    client.send('GET / HTTP/1.1\r\nhost: web\r\n\r\n');
    const host = await upstream.connection(0);
    await host.receives('\r\n\r\n');
    host.send(OK);
    await client.receives('ok');
    expect(path.counter('cluster', 'shadow', 'upstream_cx_none_healthy')).toBe(1);
  });

  it('end with a client that leaves in the middle of its request', async () => {
    const client = await connect(mirrored());
    client.send('POST / HTTP/1.1\r\nhost: web\r\ncontent-length: 6\r\n\r\nabc');
    const copy = await shadow.connection(0);
    await copy.receives('abc');
    client.destroy();
    await copy.ends();
    expect(path.counter('cluster', 'shadow', 'upstream_rq_cancelled')).toBe(1);
  });

  it('take no longer than the route allows', async () => {
    const client = await connect(mirrored(1, { timeoutMs: 300 }));
    client.send('GET / HTTP/1.1\r\nhost: web\r\n\r\n');
    const host = await upstream.connection(0);
    await host.receives('\r\n\r\n');
    host.send(OK);
    await client.receives('ok');
    await expect.poll(() => path.counter('cluster', 'shadow', 'upstream_rq_timeout')).toBe(1);
  });

  it('are a share of all', async () => {
    const client = await connect(mirrored(0));
    client.send('GET / HTTP/1.1\r\nhost: web\r\n\r\n');
    const host = await upstream.connection(0);
    await host.receives('\r\n\r\n');
    host.send(OK);
    await client.receives('ok');
    expect(shadow.connections).toHaveLength(0);
  });
});
