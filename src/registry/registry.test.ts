import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Registry, startRegistry } from './registry.ts';

let registry: Registry;

beforeEach(async () => {
  registry = await startRegistry({ port: 0 });
});

afterEach(async () => {
  await registry.stop();
});

interface Reply {
  readonly status: number;
  readonly index: number;
  readonly headers: Headers;
  readonly text: string;
  readonly json: () => ReturnType<typeof JSON.parse>;
}

async function call(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<Reply> {
  const response = await fetch(`${registry.url}${path}`, {
    method,
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    ...(signal === undefined ? {} : { signal }),
  });
  const text = await response.text();
  return {
    status: response.status,
    index: Number(response.headers.get('x-consul-index')),
    headers: response.headers,
    text,
    json: () => JSON.parse(text),
  };
}
const get = (path: string): Promise<Reply> => call('GET', path);
const put = (path: string, body?: unknown): Promise<Reply> => call('PUT', path, body);

const WEB = {
  name: 'web',
  id: 'web-1',
  port: 8080,
  tags: ['v1'],
  meta: { version: '2' },
  connect: { sidecar_service: { proxy: { upstreams: [{ destination_name: 'api', local_bind_port: 9191 }] } } },
};

test('a registration brings its sidecar with the defaults Consul gives it', async () => {
  expect((await put('/v1/agent/service/register', WEB)).status).toBe(200);
  const services = (await get('/v1/agent/services')).json();
  expect(Object.keys(services)).toEqual(['web-1', 'web-1-sidecar-proxy']);
  expect(services['web-1-sidecar-proxy']).toMatchObject({
    Kind: 'connect-proxy',
    Service: 'web-sidecar-proxy',
    Port: 21_000,
    Tags: ['v1'],
    Meta: { version: '2' },
    Weights: { Passing: 1, Warning: 1 },
    Proxy: {
      DestinationServiceName: 'web',
      DestinationServiceID: 'web-1',
      LocalServiceAddress: '127.0.0.1',
      LocalServicePort: 8080,
      Upstreams: [{ DestinationType: 'service', DestinationName: 'api', LocalBindPort: 9191 }],
    },
  });
  const checks = (await get('/v1/agent/checks')).json();
  expect(checks['service:web-1-sidecar-proxy:1']).toMatchObject({ Name: 'Connect Sidecar Listening', Type: 'tcp' });
  expect(checks['service:web-1-sidecar-proxy:2']).toMatchObject({
    Name: 'Connect Sidecar Aliasing web-1',
    Type: 'alias',
    Status: 'passing',
  });
});

test('sidecars get different ports of the range, and keep theirs when they register again', async () => {
  const sidecar = { connect: { sidecar_service: {} } };
  for (const id of ['a', 'b', 'a']) await put('/v1/agent/service/register', { name: 'x', id, port: 1, ...sidecar });
  const services = (await get('/v1/agent/services')).json();
  expect([services['a-sidecar-proxy'].Port, services['b-sidecar-proxy'].Port]).toEqual([21_000, 21_001]);
});

test('deregistering a service takes its sidecar and its checks along', async () => {
  await put('/v1/agent/service/register', { ...WEB, check: { ttl: '10s' } });
  expect((await put('/v1/agent/service/deregister/web-1')).status).toBe(200);
  expect((await get('/v1/agent/services')).json()).toEqual({});
  expect((await get('/v1/agent/checks')).json()).toEqual({});
  expect((await get('/v1/health/connect/web')).json()).toEqual([]);
  const again = await put('/v1/agent/service/deregister/web-1');
  expect([again.status, again.text]).toEqual([
    404,
    'Unknown service ID "web-1". Ensure that the service ID is passed, not the service name.',
  ]);
});

test.each([
  [{}, 'Missing service name'],
  [{ name: 'x', port: 'eighty' }, 'Request decode failed: port: expected an integer, got string'],
  [{ name: 'x', address: '0.0.0.0' }, 'Invalid service address'],
  [
    { name: 'x', check: { http: 'http://127.0.0.1' } },
    'Invalid check: Interval must be > 0 for Script, HTTP, H2PING, TCP, UDP or OSService checks',
  ],
  [{ name: 'x', check: { ttl: '1s', status: 'fine' } }, `Status for checks must 'passing', 'warning', 'critical'`],
  [{ name: 'x', kind: 'connect-proxy', port: 1 }, 'Proxy.DestinationServiceName must be non-empty'],
  [
    { name: 'x', connect: { sidecar_service: { proxy: { upstreams: [{ destination_name: 'y' }] } } } },
    'local bind port',
  ],
  ['{"name"', 'Request decode failed'],
  [{ name: 'x', prot: 1 }, 'Request decode failed: json: unknown field "prot"'],
  [{ name: 'x', check: { alias_service: 'y' } }, 'json: unknown field "alias_service"'],
])('a wrong registration is refused whole, saying why: %j', async (body, reason) => {
  const reply = await put('/v1/agent/service/register', body);
  expect(reply.status).toBe(400);
  expect(reply.text).toContain(reason);
  expect((await get('/v1/agent/services')).json()).toEqual({});
});

test('health of a service shows node, instance and the checks that decide', async () => {
  await put('/v1/agent/service/register', { name: 'web', port: 80, check: { ttl: '30s' } });
  const all = (await get('/v1/health/service/web')).json();
  expect(all).toHaveLength(1);
  expect(all[0].Node).toMatchObject({ Node: 'weft', Address: '127.0.0.1', Datacenter: 'dc1' });
  expect(all[0].Service).toMatchObject({ ID: 'web', Service: 'web', Port: 80, Connect: {} });
  expect(all[0].Checks.map((check: { CheckID: string; Status: string }) => [check.CheckID, check.Status])).toEqual([
    ['serfHealth', 'passing'],
    ['service:web', 'critical'],
  ]);
  expect((await get('/v1/health/service/web?passing')).json()).toEqual([]);
  await put('/v1/agent/check/pass/service:web?note=fine');
  expect((await get('/v1/health/service/web?passing=true')).json()).toHaveLength(1);
  expect((await get('/v1/health/service/web?passing=maybe')).status).toBe(400);
});

test('filters and tags choose instances', async () => {
  await put('/v1/agent/service/register', { name: 'web', id: 'w1', port: 1, tags: ['Blue'], meta: { version: '1' } });
  await put('/v1/agent/service/register', { name: 'web', id: 'w2', port: 2, tags: ['green'], meta: { version: '2' } });
  const ids = async (query: string): Promise<string[]> =>
    (await get(`/v1/health/service/web?${query}`)).json().map((row: { Service: { ID: string } }) => row.Service.ID);
  expect(await ids(`filter=${encodeURIComponent('Service.Meta.version == 2')}`)).toEqual(['w2']);
  expect(await ids(`filter=${encodeURIComponent('"Blue" in Service.Tags or Service.Port == "2"')}`)).toEqual([
    'w1',
    'w2',
  ]);
  expect(await ids('tag=blue')).toEqual(['w1']);
  expect(await ids('tag=blue&tag=green')).toEqual([]);
  const wrong = await get(`/v1/health/service/web?filter=${encodeURIComponent('Nonsense == 1')}`);
  expect(wrong.status).toBe(500);
  expect(wrong.text).toContain('Selector "Nonsense" is not valid');
});

test('a blocking query wakes for its own service and sleeps through another', async () => {
  await put('/v1/agent/service/register', { name: 'web', port: 80 });
  const { index } = await get('/v1/health/service/web');
  expect(index).toBeGreaterThan(0);
  let woken = false;
  const waiting = get(`/v1/health/service/web?index=${index}&wait=30s`).then((reply) => {
    woken = true;
    return reply;
  });
  await expect.poll(() => registry.waitingQueries()).toBe(1);
  await put('/v1/agent/service/register', { name: 'other', port: 81 });
  await get('/v1/health/service/other');
  expect(woken).toBe(false);
  expect(registry.waitingQueries()).toBe(1);
  await put('/v1/agent/service/register', { name: 'web', id: 'web-2', port: 82 });
  const reply = await waiting;
  expect(reply.index).toBeGreaterThan(index);
  expect(reply.json()).toHaveLength(2);
});

test('a blocking query that runs out of time answers with the index it began with', async () => {
  await put('/v1/agent/service/register', { name: 'web', port: 80 });
  const first = await get('/v1/health/service/web');
  const second = await get(`/v1/health/service/web?index=${first.index}&wait=20ms`);
  expect(second.index).toBe(first.index);
  expect(second.json()).toEqual(first.json());
});

test('a query for a service that does not exist wakes when it comes, and its index never falls when it goes', async () => {
  const first = await get('/v1/health/service/web');
  expect(first.index).toBeGreaterThanOrEqual(1);
  const waiting = get(`/v1/health/service/web?index=${first.index}&wait=30s`);
  await expect.poll(() => registry.waitingQueries()).toBe(1);
  await put('/v1/agent/service/register', { name: 'web', port: 80 });
  const there = await waiting;
  expect(there.json()).toHaveLength(1);
  await put('/v1/agent/service/deregister/web');
  const gone = await get('/v1/health/service/web');
  expect(gone.index).toBeGreaterThan(there.index);
  expect(gone.json()).toEqual([]);
});

test('connect health follows the sidecars of a service', async () => {
  const before = await get('/v1/health/connect/web');
  const waiting = get(`/v1/health/connect/web?index=${before.index}&wait=30s`);
  await expect.poll(() => registry.waitingQueries()).toBe(1);
  await put('/v1/agent/service/register', WEB);
  const rows = (await waiting).json();
  expect(rows[0].Service).toMatchObject({ ID: 'web-1-sidecar-proxy', Kind: 'connect-proxy' });
});

test('registering the same again moves no index', async () => {
  await put('/v1/agent/service/register', WEB);
  const before = await get('/v1/catalog/services');
  await put('/v1/agent/service/register', WEB);
  expect((await get('/v1/catalog/services')).index).toBe(before.index);
});

test('an agent service can be waited for by the hash of its content', async () => {
  await put('/v1/agent/service/register', WEB);
  const first = await get('/v1/agent/service/web-1-sidecar-proxy');
  const hash = first.headers.get('x-consul-contenthash');
  expect(first.json().ContentHash).toBe(hash);
  const waiting = get(`/v1/agent/service/web-1-sidecar-proxy?hash=${hash}&wait=30s`);
  await expect.poll(() => registry.waitingQueries()).toBe(1);
  await put('/v1/agent/service/register', { ...WEB, port: 8081 });
  const second = await waiting;
  expect(second.json().Proxy.LocalServicePort).toBe(8081);
  expect(second.headers.get('x-consul-contenthash')).not.toBe(hash);
  const none = await get('/v1/agent/service/nobody');
  expect([none.status, none.text]).toEqual([404, 'unknown service ID: nobody']);
});

test('clients that hang up wait no longer, and more than the bound are told to slow down', async () => {
  await registry.stop();
  registry = await startRegistry({ port: 0, maxWaitingPerClient: 1 });
  const { index } = await get('/v1/catalog/nodes');
  const abort = new AbortController();
  const first = call('GET', `/v1/catalog/nodes?index=${index}`, undefined, abort.signal);
  await expect.poll(() => registry.waitingQueries()).toBe(1);
  expect((await get(`/v1/catalog/nodes?index=${index}`)).status).toBe(429);
  abort.abort();
  await expect(first).rejects.toThrow();
  await expect.poll(() => registry.waitingQueries()).toBe(0);
});

test('HTTP and TCP checks really run, and the sidecar alias follows', async () => {
  let healthy = true;
  const app = createServer((_request, response) => response.writeHead(healthy ? 200 : 500).end('state'));
  app.listen(0, '127.0.0.1');
  await once(app, 'listening');
  const { port } = app.address() as AddressInfo;
  const statusOf = async (id: string): Promise<string> => (await get('/v1/agent/checks')).json()[id].Status;
  try {
    await put('/v1/agent/service/register', {
      name: 'web',
      port,
      checks: [
        { http: `http://127.0.0.1:${port}/health`, interval: '50ms', timeout: '1s' },
        { tcp: `127.0.0.1:${port}`, interval: '50ms' },
      ],
      connect: { sidecar_service: { checks: [{ name: 'alias', AliasService: 'web' }] } },
    });
    await expect.poll(() => statusOf('service:web:1')).toBe('passing');
    await expect.poll(() => statusOf('service:web:2')).toBe('passing');
    await expect.poll(() => statusOf('service:web-sidecar-proxy')).toBe('passing');
    healthy = false;
    await expect.poll(() => statusOf('service:web:1')).toBe('critical');
    expect(await statusOf('service:web-sidecar-proxy')).toBe('critical');
  } finally {
    app.close();
    app.closeAllConnections();
  }
});

test('TTL checks expire, and a service critical for too long is deregistered', async () => {
  await registry.stop();
  registry = await startRegistry({ port: 0, reapIntervalMs: 20, minDeregisterAfterMs: 0 });
  await put('/v1/agent/service/register', {
    name: 'web',
    check: { ttl: '30ms', status: 'passing', deregister_critical_service_after: '30ms' },
  });
  await expect.poll(async () => (await get('/v1/agent/services')).json()).toEqual({});
});

test('maintenance takes an instance out of the passing ones and back', async () => {
  await put('/v1/agent/service/register', { name: 'web', port: 80 });
  await put('/v1/agent/service/maintenance/web?enable=true&reason=update');
  expect((await get('/v1/health/service/web?passing')).json()).toEqual([]);
  expect((await get('/v1/agent/health/service/name/web?format=text')).text).toBe('maintenance');
  await put('/v1/agent/service/maintenance/web?enable=false');
  expect((await get('/v1/health/service/web?passing')).json()).toHaveLength(1);
});

test('external nodes live in the catalog through register and deregister', async () => {
  const node = {
    Node: 'vm',
    Address: '10.0.0.9',
    Service: { Service: 'db', Port: 5432 },
    Check: { Name: 'up', Status: 'passing', ServiceID: 'db' },
  };
  expect((await put('/v1/catalog/register', node)).json()).toBe(true);
  expect((await get('/v1/catalog/service/db')).json()[0]).toMatchObject({
    Node: 'vm',
    Address: '10.0.0.9',
    ServicePort: 5432,
  });
  expect((await get('/v1/catalog/nodes')).json().map((row: { Node: string }) => row.Node)).toEqual(['vm', 'weft']);
  expect((await get('/v1/catalog/node-services/vm')).json().Services[0].ID).toBe('db');
  await put('/v1/catalog/deregister', { Node: 'vm' });
  expect((await get('/v1/catalog/node/vm')).json()).toBeNull();
});

test('protocol matters are answered as Consul answers them', async () => {
  expect((await get('/v1/nothing')).status).toBe(404);
  const method = await call('DELETE', '/v1/agent/services');
  expect([method.status, method.headers.get('allow')]).toEqual([405, 'GET']);
  expect((await get('/v1/catalog/nodes?stale&consistent')).status).toBe(400);
  expect((await get('/v1/catalog/nodes?wait=soon')).text).toBe('Invalid wait time');
  expect((await get('/v1/catalog/nodes?index=-1')).text).toBe('Invalid index');
  expect((await get('/v1/catalog/nodes?dc=mars')).text).toBe('No path to datacenter');
  const reply = await get('/v1/catalog/nodes?stale&pretty');
  expect(reply.headers.get('x-consul-knownleader')).toBe('true');
  expect(reply.headers.get('x-consul-lastcontact')).toBe('0');
  expect(reply.headers.get('x-consul-effective-consistency')).toBe('stale');
  expect(reply.text).toContain('\n    {');
  expect((await get('/v1/status/leader')).json()).toBe('127.0.0.1:8300');
  expect((await get('/v1/connect/ca/roots')).json()).toMatchObject({ Roots: [{ Active: true }] });
});

test('keys: check-and-set, prefixes, locks, raw values and too much of them', async () => {
  expect((await put('/v1/kv/app/a?cas=0', 'one')).text).toBe('true');
  expect((await put('/v1/kv/app/a?cas=0', 'two')).text).toBe('false');
  expect((await get('/v1/kv/app/a?raw')).text).toBe('one');
  await put('/v1/kv/app/b/c', 'x');
  expect((await get('/v1/kv/app/?keys&separator=/')).json()).toEqual(['app/a', 'app/b/']);
  const [row] = (await get('/v1/kv/app/a')).json();
  expect(row).toMatchObject({ Key: 'app/a', Value: Buffer.from('one').toString('base64'), Flags: 0 });
  const session = (await put('/v1/session/create', { Name: 'leader' })).json().ID;
  expect((await put(`/v1/kv/lock?acquire=${session}`, '')).text).toBe('true');
  const other = (await put('/v1/session/create')).json().ID;
  expect((await put(`/v1/kv/lock?acquire=${other}`, '')).text).toBe('false');
  await put(`/v1/session/destroy/${session}`);
  expect((await put(`/v1/kv/lock?acquire=${other}`, '')).text).toBe('true');
  expect((await put('/v1/kv/big', 'x'.repeat(524_289))).status).toBe(413);
  const { index } = await get('/v1/kv/app?recurse');
  await call('DELETE', '/v1/kv/app?recurse');
  const gone = await get('/v1/kv/app?recurse');
  expect(gone.status).toBe(404);
  expect(gone.index).toBeGreaterThan(index);
});

test('injected faults: the index falls, answers fail, hang or break off', async () => {
  await put('/v1/agent/service/register', { name: 'web', port: 80 });
  const { index } = await get('/v1/health/service/web');
  const waiting = get(`/v1/health/service/web?index=${index}`);
  await expect.poll(() => registry.waitingQueries()).toBe(1);
  registry.inject.resetIndex(1);
  expect((await waiting).index).toBeLessThan(index);
  registry.inject.onRequest({ kind: 'respond', status: 500, body: 'rpc error: No cluster leader' }, { times: 1 });
  expect((await get('/v1/catalog/nodes')).status).toBe(500);
  expect((await get('/v1/catalog/nodes')).status).toBe(200);
  registry.inject.onRequest({ kind: 'truncate' }, { times: 1, pathPrefix: '/v1/catalog' });
  await expect(get('/v1/catalog/nodes')).rejects.toThrow();
  registry.inject.onRequest({ kind: 'hang' });
  const hanging = get('/v1/catalog/nodes').catch(() => 'closed');
  await expect.poll(() => registry.inject.met()).toBe(3);
  registry.inject.clear();
  expect(await hanging).toBe('closed');
});

test('a port that is taken is named, with what to do', async () => {
  await expect(startRegistry({ port: registry.port })).rejects.toThrow(/cannot listen on 127\.0\.0\.1:\d+.*--port/);
});
