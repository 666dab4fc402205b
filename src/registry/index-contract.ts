/**
 * What a watcher relies on from blocking queries, as cases like those of `contract.ts`: what wakes a query and what does not, and
 * which way an index goes. A watcher that is woken by what is not its own costs a mesh its scale; one that is not woken, its truth.
 */
import assert from 'node:assert/strict';
import { at, type ContractApi, type ContractCase, type ContractReply } from './contract.ts';

const lengthOf = (reply: ContractReply): number => (Array.isArray(reply.json) ? reply.json.length : -1);
const deregister = (api: ContractApi, id: string): Promise<ContractReply> =>
  api.put(`/v1/agent/service/deregister/${id}`);

/** A question that waits for something newer than `seen`. */
function waitFor(api: ContractApi, path: string, seen: ContractReply): Promise<ContractReply> {
  return api.get(`${path}${path.includes('?') ? '&' : '?'}index=${seen.index}&wait=20s`);
}

/** Asserts that `change` wakes who waits at the path, with a higher index, and gives the answer. */
async function wakes(api: ContractApi, path: string, change: () => Promise<unknown>): Promise<ContractReply> {
  const seen = await api.get(path);
  assert.ok(seen.index > 0, `${path} has an index`);
  const waiting = waitFor(api, path, seen);
  await change();
  const woken = await waiting;
  assert.ok(woken.index > seen.index, `${path}: ${woken.index} after ${seen.index}`);
  return woken;
}

export const INDEX_CONTRACT: readonly ContractCase[] = [
  {
    name: 'a service that does not exist can be waited for, and its index never falls when it goes',
    async run(api) {
      const came = await wakes(api, '/v1/health/service/i1', () => api.register({ name: 'i1', port: 1 }));
      assert.equal(lengthOf(came), 1);
      const went = await wakes(api, '/v1/health/service/i1', () => deregister(api, 'i1'));
      assert.equal(lengthOf(went), 0);
      const later = await api.get('/v1/health/service/i1');
      assert.ok(later.index >= went.index);
    },
  },
  {
    name: 'a check that changes its status wakes the health of its service',
    async run(api) {
      await api.register({ name: 'i2', port: 1, check: { ttl: '60s', status: 'passing' } });
      await api.eventually('/v1/health/service/i2?passing', (found) => lengthOf(found) === 1);
      const path = '/v1/health/service/i2';
      const warned = await wakes(api, path, () => api.put('/v1/agent/check/warn/service:i2?note=slow'));
      const checks = at(warned.json, 0, 'Checks');
      assert.ok(Array.isArray(checks) && checks.some((check) => at(check, 'Output') === 'slow'));
      await deregister(api, 'i2');
    },
  },
  {
    name: 'weights, tags and meta of an instance wake its service',
    async run(api) {
      await api.register({ name: 'i3', port: 1 });
      await api.eventually('/v1/health/service/i3', (found) => lengthOf(found) === 1);
      const changed = { name: 'i3', port: 1, weights: { passing: 7, warning: 3 }, tags: ['a'], meta: { b: 'c' } };
      const woken = await wakes(api, '/v1/health/service/i3', () => api.register(changed));
      assert.deepEqual(at(woken.json, 0, 'Service', 'Weights'), { Passing: 7, Warning: 3 });
      assert.deepEqual(at(woken.json, 0, 'Service', 'Tags'), ['a']);
      await deregister(api, 'i3');
    },
  },
  {
    name: 'the same registration again wakes nobody',
    async run(api) {
      await api.register({ name: 'i4', port: 1, tags: ['x'] });
      const first = await api.eventually('/v1/health/service/i4', (found) => lengthOf(found) === 1);
      await api.register({ name: 'i4', port: 1, tags: ['x'] });
      const second = await api.get(`/v1/health/service/i4?index=${first.index}&wait=300ms`);
      assert.equal(second.index, first.index);
      await deregister(api, 'i4');
    },
  },
  {
    name: 'connect health is woken by the sidecar that comes and goes',
    async run(api) {
      const path = '/v1/health/connect/i5';
      const came = await wakes(api, path, () =>
        api.register({ name: 'i5', port: 1, connect: { sidecar_service: { port: 20_955 } } }),
      );
      assert.equal(at(came.json, 0, 'Service', 'Port'), 20_955);
      await api.eventually(path, (found) => lengthOf(found) === 1);
      const went = await wakes(api, path, () => deregister(api, 'i5'));
      assert.equal(lengthOf(went), 0);
    },
  },
  {
    name: 'the list of services is woken by a name that comes',
    async run(api) {
      const woken = await wakes(api, '/v1/catalog/services', () => api.register({ name: 'i6', port: 1 }));
      assert.deepEqual(at(woken.json, 'i6'), []);
      await deregister(api, 'i6');
    },
  },
  {
    name: 'a config entry that does not exist can be waited for, changed and deleted',
    async run(api) {
      const path = '/v1/config/service-resolver/i7';
      const entry = { Kind: 'service-resolver', Name: 'i7', ConnectTimeout: '1s' };
      const came = await wakes(api, path, () => api.put('/v1/config', entry));
      assert.equal(came.status, 200);
      const changed = await wakes(api, path, () => api.put('/v1/config', { ...entry, ConnectTimeout: '2s' }));
      assert.equal(at(changed.json, 'ConnectTimeout'), '2s');
      assert.equal(at(changed.json, 'CreateIndex'), at(came.json, 'CreateIndex'));
      const gone = await wakes(api, path, () => api.delete(path));
      assert.equal(gone.status, 404);
    },
  },
  {
    name: 'the same config entry again keeps its ModifyIndex',
    async run(api) {
      const path = '/v1/config/service-resolver/i8';
      const entry = { Kind: 'service-resolver', Name: 'i8', ConnectTimeout: '1s' };
      await api.put('/v1/config', entry);
      const first = await api.get(path);
      await api.put('/v1/config', entry);
      const second = await api.get(path);
      assert.equal(at(second.json, 'ModifyIndex'), at(first.json, 'ModifyIndex'));
      await api.delete(path);
    },
  },
  {
    name: 'one config entry by compare-and-set, written and deleted only at the index it has',
    async run(api) {
      const path = '/v1/config/service-defaults/i9';
      const entry = { Kind: 'service-defaults', Name: 'i9', Protocol: 'http' };
      assert.equal((await api.put('/v1/config?cas=0', entry)).text.trim(), 'true');
      const index = String(at((await api.get(path)).json, 'ModifyIndex'));
      assert.equal((await api.put('/v1/config?cas=1', { ...entry, Protocol: 'grpc' })).text.trim(), 'false');
      assert.equal((await api.put(`/v1/config?cas=${index}`, { ...entry, Protocol: 'grpc' })).text.trim(), 'true');
      assert.equal((await api.delete(`${path}?cas=${index}`)).text.trim(), 'false');
      const newest = String(at((await api.get(path)).json, 'ModifyIndex'));
      assert.equal((await api.delete(`${path}?cas=${newest}`)).text.trim(), 'true');
      assert.equal((await api.get(path)).status, 404);
    },
  },
  {
    name: 'keys: one that does not exist can be waited for, another one wakes nobody, a prefix sees what is below it',
    async run(api) {
      const came = await wakes(api, '/v1/kv/i10/a', () => api.put('/v1/kv/i10/a', 'one'));
      assert.equal(came.status, 200);
      await api.put('/v1/kv/i10/b', 'other');
      const still = await api.get(`/v1/kv/i10/a?index=${came.index}&wait=200ms`);
      assert.equal(still.index, came.index);
      const below = await wakes(api, '/v1/kv/i10/?recurse', () => api.put('/v1/kv/i10/c', 'third'));
      assert.equal(lengthOf(below), 3);
      const index = String(at(came.json, 0, 'ModifyIndex'));
      assert.equal((await api.put(`/v1/kv/i10/a?cas=${index}`, 'two')).text.trim(), 'true');
      assert.equal((await api.put(`/v1/kv/i10/a?cas=${index}`, 'three')).text.trim(), 'false');
      assert.equal((await api.delete(`/v1/kv/i10/a?cas=${index}`)).text.trim(), 'false');
      await api.delete('/v1/kv/i10/?recurse');
    },
  },
  {
    name: 'intentions that match a destination are woken by one that is written',
    async run(api) {
      const path = '/v1/connect/intentions/match?by=destination&name=i11';
      const sources = [
        { Name: 'web', Action: 'allow' },
        { Name: '*', Action: 'deny' },
      ];
      const came = await wakes(api, path, () =>
        api.put('/v1/config', { Kind: 'service-intentions', Name: 'i11', Sources: sources }),
      );
      assert.equal(at(came.json, 'i11', 0, 'SourceName'), 'web');
      assert.equal(at(came.json, 'i11', 0, 'Precedence'), 9);
      assert.equal(at(came.json, 'i11', 1, 'SourceName'), '*');
      await api.delete('/v1/config/service-intentions/i11');
    },
  },
  {
    name: 'maintenance and its end wake the health of an instance',
    async run(api) {
      await api.register({ name: 'i12', port: 1 });
      const path = '/v1/health/service/i12?passing';
      await api.eventually(path, (found) => lengthOf(found) === 1);
      const maintenance = '/v1/agent/service/maintenance/i12?reason=moving&enable=';
      const out = await wakes(api, path, () => api.put(`${maintenance}true`));
      assert.equal(lengthOf(out), 0);
      const back = await wakes(api, path, () => api.put(`${maintenance}false`));
      assert.equal(lengthOf(back), 1);
      await deregister(api, 'i12');
    },
  },
  {
    name: 'a wait that runs out answers with what there is, at the index it began with',
    async run(api) {
      await api.register({ name: 'i13', port: 1 });
      const first = await api.eventually('/v1/health/service/i13', (found) => lengthOf(found) === 1);
      const second = await api.get(`/v1/health/service/i13?index=${first.index}&wait=100ms`);
      assert.deepEqual([second.index, lengthOf(second)], [first.index, 1]);
      // An index from the future, as after a restored snapshot, is waited for too, and then corrected downward.
      const third = await api.get(`/v1/health/service/i13?index=${first.index + 1_000_000}&wait=100ms`);
      assert.deepEqual([third.index, lengthOf(third)], [first.index, 1]);
      await deregister(api, 'i13');
    },
  },
  {
    name: 'HTTP and TCP checks are run, and an alias follows its service',
    async run(api) {
      // The agent itself is what answers here.
      const { host } = new URL(api.url);
      await api.register({
        name: 'i14',
        port: 1,
        checks: [
          { http: `${api.url}/v1/status/leader`, interval: '100ms' },
          { tcp: host, interval: '100ms' },
        ],
      });
      await api.register({ name: 'i14-alias', port: 2, check: { AliasService: 'i14' } });
      for (const name of ['i14', 'i14-alias']) {
        await api.eventually(`/v1/health/service/${name}?passing`, (found) => lengthOf(found) === 1);
      }
      await api.register({ name: 'i14', port: 1, check: { tcp: '127.0.0.1:1', interval: '100ms' } });
      for (const name of ['i14', 'i14-alias']) {
        await api.eventually(`/v1/health/service/${name}?passing`, (found) => lengthOf(found) === 0);
      }
      for (const id of ['i14', 'i14-alias']) await deregister(api, id);
    },
  },
];
