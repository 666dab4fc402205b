/**
 * What a control server reads besides the catalog, as cases like those of `contract.ts`: intentions, prepared queries, and the
 * parameters and headers by which an answer is understood.
 */
import assert from 'node:assert/strict';
import { at, type ContractApi, type ContractCase, type ContractReply } from './contract.ts';

const lengthOf = (reply: ContractReply): number => (Array.isArray(reply.json) ? reply.json.length : -1);
const nodesOf = (reply: ContractReply): readonly unknown[] => {
  const nodes = at(reply.json, 'Nodes');
  assert.ok(Array.isArray(nodes), reply.text);
  return nodes.map((node) => String(at(node, 'Service', 'ID'))).sort((a, b) => (a < b ? -1 : 1));
};

/** A service and its sidecar, both with TTL checks in the state that is wanted. */
async function registerWithSidecar(api: ContractApi, name: string, id: string, status: string): Promise<void> {
  await api.register({
    name,
    id,
    port: 1,
    tags: [status],
    check: { ttl: '10m', status },
    connect: { sidecar_service: { port: 20_900, checks: [{ ttl: '10m', status }] } },
  });
}

async function createQuery(api: ContractApi, query: object): Promise<string> {
  const reply = await api.post('/v1/query', query);
  assert.equal(reply.status, 200, reply.text);
  return String(at(reply.json, 'ID'));
}

export const MESH_CONTRACT: readonly ContractCase[] = [
  {
    name: 'intentions that match a destination come strongest first, with permissions and those for all destinations',
    async run(api) {
      await api.put('/v1/config', { Kind: 'service-defaults', Name: 'm1', Protocol: 'http' });
      const permissions = [
        {
          Action: 'allow',
          HTTP: { PathExact: '/x', Methods: ['GET'], Header: [{ Name: 'a', Exact: 'b', Invert: true }] },
        },
        { Action: 'deny', HTTP: { PathPrefix: '/' } },
      ];
      const sources = [
        { Name: '*', Action: 'deny' },
        { Name: 'm1-web', Action: 'allow' },
        { Name: 'm1-l7', Permissions: permissions },
      ];
      assert.equal(
        (await api.put('/v1/config', { Kind: 'service-intentions', Name: 'm1', Sources: sources })).status,
        200,
      );
      const forAll = { Kind: 'service-intentions', Name: '*', Sources: [{ Name: 'm1-web', Action: 'deny' }] };
      assert.equal((await api.put('/v1/config', forAll)).status, 200);
      const reply = await api.get('/v1/connect/intentions/match?by=destination&name=m1');
      assert.equal(reply.headers.get('x-consul-default-acl-policy'), 'allow');
      const rows = at(reply.json, 'm1');
      assert.ok(Array.isArray(rows));
      const told = rows.map((row) => [at(row, 'SourceName'), at(row, 'DestinationName'), at(row, 'Precedence')]);
      assert.deepEqual(told, [
        ['m1-l7', 'm1', 9],
        ['m1-web', 'm1', 9],
        ['*', 'm1', 8],
        ['m1-web', '*', 6],
      ]);
      const [l7] = rows;
      assert.deepEqual(at(l7, 'Permissions', 0, 'HTTP', 'Methods'), ['GET']);
      assert.equal(at(l7, 'Permissions', 0, 'HTTP', 'Header', 0, 'Invert'), true);
      assert.equal(at(l7, 'Permissions', 1, 'HTTP', 'PathPrefix'), '/');
      for (const name of ['m1', '*']) await api.delete(`/v1/config/service-intentions/${encodeURIComponent(name)}`);
      await api.delete('/v1/config/service-defaults/m1');
    },
  },
  {
    name: 'intentions that look into requests are refused for a service that speaks no HTTP',
    async run(api) {
      await api.put('/v1/config', { Kind: 'service-defaults', Name: 'm2', Protocol: 'tcp' });
      const Permissions = [{ Action: 'allow', HTTP: { PathExact: '/x' } }];
      const entry = { Kind: 'service-intentions', Name: 'm2', Sources: [{ Name: 'web', Permissions }] };
      const reply = await api.put('/v1/config', entry);
      assert.notEqual(reply.status, 200);
      const both = { ...entry, Sources: [{ Name: 'web', Action: 'allow', Permissions }] };
      assert.notEqual((await api.put('/v1/config', both)).status, 200);
      await api.delete('/v1/config/service-defaults/m2');
    },
  },
  {
    name: 'mutual TLS becomes permissive only where the mesh allows it, and what is permissive may stay so',
    async run(api) {
      const entry = { Kind: 'service-defaults', Name: 'm2-permissive', MutualTLSMode: 'permissive' };
      const everybody = { Kind: 'proxy-defaults', Name: 'global', MutualTLSMode: 'permissive' };
      const allow = (AllowEnablingPermissiveMutualTLS: boolean): Promise<ContractReply> =>
        api.put('/v1/config', { Kind: 'mesh', AllowEnablingPermissiveMutualTLS });
      const refused = async (proposed: object): Promise<void> => {
        const { status, text } = await api.put('/v1/config', proposed);
        assert.equal(status, 500, text);
        assert.match(
          text,
          /cannot set MutualTLSMode=permissive because AllowEnablingPermissiveMutualTLS=false in the mesh config entry/,
        );
      };
      await refused(entry);
      await allow(false);
      for (const each of [entry, everybody]) await refused(each);
      assert.equal((await api.put('/v1/config', { ...entry, MutualTLSMode: 'strict' })).status, 200);
      await allow(true);
      assert.equal((await api.put('/v1/config', entry)).status, 200);
      await allow(false);
      assert.equal((await api.put('/v1/config', { ...entry, Meta: { team: 'x' } })).status, 200);
      const wrong = await api.put('/v1/config', { ...entry, MutualTLSMode: 'lax' });
      assert.equal(wrong.status, 500);
      assert.match(wrong.text, /Invalid MutualTLSMode "lax"\. Must be one of "", "strict", or "permissive"\./);
      await api.delete('/v1/config/service-defaults/m2-permissive');
      await api.delete('/v1/config/mesh/mesh');
    },
  },
  {
    name: 'a prepared query finds sidecars or services, healthy ones, by tag, and lets nobody wait',
    async run(api) {
      await registerWithSidecar(api, 'm3', 'm3-1', 'passing');
      await registerWithSidecar(api, 'm3', 'm3-2', 'warning');
      await registerWithSidecar(api, 'm3', 'm3-3', 'critical');
      await api.eventually('/v1/health/connect/m3', (found) => lengthOf(found) === 3);
      const ids = [
        await createQuery(api, { Name: 'm3-all', Service: { Service: 'm3' } }),
        await createQuery(api, { Name: 'm3-passing', Service: { Service: 'm3', OnlyPassing: true, Connect: true } }),
      ];
      assert.deepEqual(nodesOf(await api.get('/v1/query/m3-all/execute')), ['m3-1', 'm3-2']);
      const sidecars = await api.get('/v1/query/m3-all/execute?connect=true');
      assert.deepEqual(nodesOf(sidecars), ['m3-1-sidecar-proxy', 'm3-2-sidecar-proxy']);
      assert.equal(at(sidecars.json, 'Datacenter'), 'dc1');
      assert.deepEqual(nodesOf(await api.get(`/v1/query/${ids[1]}/execute`)), ['m3-1-sidecar-proxy']);
      const again = await api.get(`/v1/query/m3-all/execute?index=${sidecars.index}&wait=25s`);
      assert.deepEqual([again.index, nodesOf(again)], [1, ['m3-1', 'm3-2']]);
      for (const id of ids) await api.delete(`/v1/query/${id}`);
      const gone = await api.get('/v1/query/m3-all/execute');
      assert.deepEqual([gone.status, gone.text.trim()], [404, 'Query not found']);
      for (const id of ['m3-1', 'm3-2', 'm3-3']) await api.put(`/v1/agent/service/deregister/${id}`);
    },
  },
  {
    name: 'answers say who answered, how sure it is, and what holds by default; cached ones that they are',
    async run(api) {
      await api.register({ name: 'm4', port: 1 });
      const plain = await api.eventually('/v1/health/service/m4', (found) => lengthOf(found) === 1);
      assert.equal(plain.headers.get('x-consul-default-acl-policy'), 'allow');
      assert.equal(plain.headers.get('x-consul-effective-consistency'), 'leader');
      assert.match(plain.headers.get('x-consul-lastcontact') ?? '', /^\d+$/);
      assert.equal(plain.headers.get('x-cache'), null);
      assert.equal(plain.headers.get('x-consul-results-filtered-by-acls'), null);
      const cached = await api.eventually('/v1/health/service/m4?cached', (found) => lengthOf(found) === 1);
      assert.match(cached.headers.get('x-cache') ?? '', /^(?:HIT|MISS)$/);
      // Who blocks may be answered from a stream of events, which knows no leader; whoever asks the servers is told.
      const waited = await api.get(`/v1/health/service/m4?index=${plain.index}&wait=50ms`);
      const isStreamed = waited.headers.get('x-consul-query-backend') === 'streaming';
      assert.ok(isStreamed || waited.headers.get('x-consul-knownleader') === 'true');
      assert.equal(waited.index, plain.index);
      await api.put('/v1/agent/service/deregister/m4');
    },
  },
  {
    name: 'instances may be asked for by distance, also while waiting, and then come all the same',
    async run(api) {
      await api.register({ name: 'm5', port: 1 });
      const first = await api.eventually('/v1/health/service/m5?near=_agent', (found) => lengthOf(found) === 1);
      const waited = await api.get(`/v1/health/service/m5?near=_agent&index=${first.index}&wait=50ms`);
      assert.deepEqual([waited.status, lengthOf(waited)], [200, 1]);
      assert.equal((await api.get('/v1/health/service/m5?near=nobody')).status, 200);
      await api.put('/v1/agent/service/deregister/m5');
    },
  },
  {
    name: 'a filter holds while waiting, too',
    async run(api) {
      const path = `/v1/health/service/m6?filter=${encodeURIComponent('Service.Meta.v == "2"')}`;
      await api.register({ name: 'm6', id: 'm6-1', port: 1, meta: { v: '1' } });
      await api.eventually('/v1/health/service/m6', (found) => lengthOf(found) === 1);
      const none = await api.get(path);
      assert.equal(lengthOf(none), 0);
      const waiting = api.get(`${path}&index=${none.index}&wait=20s`);
      await api.register({ name: 'm6', id: 'm6-2', port: 2, meta: { v: '2' } });
      let reply = await waiting;
      if (lengthOf(reply) === 0) reply = await api.eventually(path, (found) => lengthOf(found) === 1);
      assert.equal(at(reply.json, 0, 'Service', 'ID'), 'm6-2');
      for (const id of ['m6-1', 'm6-2']) await api.put(`/v1/agent/service/deregister/${id}`);
    },
  },
  {
    name: 'weights of a sidecar are its own, and maintenance of the node concerns all that is on it',
    async run(api) {
      const sidecar = { port: 20_907, weights: { passing: 7, warning: 0 } };
      await api.register({ name: 'm7', port: 1, connect: { sidecar_service: sidecar } });
      const reply = await api.eventually('/v1/health/connect/m7', (found) => lengthOf(found) === 1);
      assert.deepEqual(at(reply.json, 0, 'Service', 'Weights'), { Passing: 7, Warning: 0 });
      const service = await api.get('/v1/health/service/m7');
      assert.deepEqual(at(service.json, 0, 'Service', 'Weights'), { Passing: 1, Warning: 1 });
      assert.equal((await api.put('/v1/agent/maintenance?enable=true&reason=moving')).status, 200);
      await api.eventually('/v1/health/service/m7?passing', (found) => lengthOf(found) === 0);
      assert.equal((await api.put('/v1/agent/maintenance?enable=false')).status, 200);
      await api.eventually('/v1/health/service/m7?passing', (found) => lengthOf(found) === 1);
      await api.put('/v1/agent/service/deregister/m7');
    },
  },
  {
    name: 'HTTP checks of a service whose sidecar exposes them are asked at a port of the sidecar, until it no longer does',
    async run(api) {
      const service = (Expose: object): object => ({
        Name: 'm9',
        Port: 1,
        Checks: [
          { CheckID: 'm9-http', HTTP: 'http://127.0.0.1:1/m9', Interval: '1s' },
          { CheckID: 'm9-ttl', TTL: '10m' },
        ],
        Connect: { SidecarService: { Port: 20_909, Address: '127.0.0.1', Proxy: { Expose } } },
      });
      await api.register({ ...service({ Checks: true }) });
      // The catalog of a real agent may learn of the port with the next change of status only.
      const exposed = await api.eventually(
        '/v1/agent/checks',
        (reply) => Number(at(reply.json, 'm9-http', 'ExposedPort')) > 0,
      );
      const port = Number(at(exposed.json, 'm9-http', 'ExposedPort'));
      assert.equal(at(exposed.json, 'm9-ttl', 'ExposedPort'), 0);
      const asked = (reply: ContractReply): boolean =>
        String(at(reply.json, 'm9-http', 'Output')).includes(`:${port}/m9`);
      await api.eventually('/v1/agent/checks', asked);
      const filter = encodeURIComponent('ExposedPort != 0');
      const filtered = await api.get(`/v1/agent/checks?filter=${filter}`);
      assert.deepEqual(Object.keys(Object(filtered.json)), ['m9-http']);
      await api.register({ ...service({}) });
      await api.eventually('/v1/agent/checks', (reply) => at(reply.json, 'm9-http', 'ExposedPort') === 0);
      await api.put('/v1/agent/service/deregister/m9');
    },
  },
  {
    name: 'parameters that contradict each other or cannot be read are refused',
    async run(api) {
      const refusals: readonly (readonly [string, number, RegExp])[] = [
        ['/v1/health/service/m8?cached&consistent', 400, /\?cached with \?consistent/],
        ['/v1/health/service/m8?index=-1', 400, /Invalid index/],
        ['/v1/health/service/m8?passing=maybe', 400, /Invalid value for \?passing/],
        ['/v1/connect/intentions/match?by=destination', 500, /'name' not set/],
        ['/v1/connect/intentions/match?name=m8', 500, /'by' not set/],
        ['/v1/agent/connect/ca/leaf/', 500, /URI must be either/],
        ['/v1/query/m8-nobody/execute', 404, /Query not found/],
      ];
      for (const [path, status, reason] of refusals) {
        const reply = await api.get(path);
        assert.equal(reply.status, status, `${path}: ${reply.text}`);
        assert.match(reply.text, reason);
      }
    },
  },
];
