/**
 * What a mesh relies on from Consul's HTTP API, as cases that any agent must pass: the embedded registry in every test run, a real
 * Consul where one is installed. Each case uses names of its own, so that they share one agent.
 */
import assert from 'node:assert/strict';

export interface ContractCase {
  readonly name: string;
  run(api: ContractApi): Promise<void>;
}

export interface ContractReply {
  readonly status: number;
  /** X-Consul-Index, 0 where there is none. */
  readonly index: number;
  readonly headers: Headers;
  readonly text: string;
  /** The parsed body; only to be looked at with `at`. */
  readonly json: unknown;
}

/** A client of one agent. */
export class ContractApi {
  readonly url: string;

  constructor(url: string) {
    this.url = url;
  }

  get(path: string): Promise<ContractReply> {
    return this.#ask('GET', path);
  }

  put(path: string, body?: unknown): Promise<ContractReply> {
    return this.#ask('PUT', path, body);
  }

  post(path: string, body: unknown): Promise<ContractReply> {
    return this.#ask('POST', path, body);
  }

  delete(path: string): Promise<ContractReply> {
    return this.#ask('DELETE', path);
  }

  /** A service with a TTL check that passes; deregistered by the case. */
  async register(service: Readonly<Record<string, unknown>>): Promise<void> {
    const reply = await this.put('/v1/agent/service/register', service);
    assert.equal(reply.status, 200, reply.text);
  }

  /** Asks until the answer holds: a real agent's catalog follows its agent a moment later. */
  async eventually(path: string, holds: (reply: ContractReply) => boolean): Promise<ContractReply> {
    const deadlineMs = performance.now() + 10_000;
    for (;;) {
      const reply = await this.get(path);
      if (holds(reply)) return reply;
      assert.ok(
        performance.now() < deadlineMs,
        `${path} never became as expected; last: ${reply.status} ${reply.text}`,
      );
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async #ask(method: string, path: string, body?: unknown): Promise<ContractReply> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      signal: AbortSignal.timeout(30_000),
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.startsWith('application/json') === true && text !== '';
    const index = Number(response.headers.get('x-consul-index') ?? 0);
    return {
      status: response.status,
      index,
      headers: response.headers,
      text,
      json: isJson ? JSON.parse(text) : undefined,
    };
  }
}

/** The value at a path of keys and positions; undefined where the path ends early. */
export function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>(
    (here, key) => (typeof here === 'object' && here !== null ? Reflect.get(here, key) : undefined),
    value,
  );
}

const lengthOf = (reply: ContractReply): number => (Array.isArray(reply.json) ? reply.json.length : -1);
const filter = (text: string): string => encodeURIComponent(text);

export const CONTRACT: readonly ContractCase[] = [
  {
    name: 'a sidecar_service becomes a connect-proxy with defaults, found under its destination',
    async run(api) {
      const upstream = { destination_name: 'c1-api', local_bind_port: 9191, config: { protocol: 'http' } };
      await api.register({
        name: 'c1',
        id: 'c1-1',
        port: 8080,
        tags: ['t'],
        connect: { sidecar_service: { proxy: { upstreams: [upstream] } } },
      });
      const reply = await api.eventually('/v1/health/connect/c1', (found) => lengthOf(found) === 1);
      const service = at(reply.json, 0, 'Service');
      assert.equal(at(service, 'ID'), 'c1-1-sidecar-proxy');
      assert.equal(at(service, 'Kind'), 'connect-proxy');
      assert.deepEqual(at(service, 'Tags'), ['t']);
      assert.equal(at(service, 'Proxy', 'DestinationServiceID'), 'c1-1');
      assert.equal(at(service, 'Proxy', 'LocalServiceAddress'), '127.0.0.1');
      assert.equal(at(service, 'Proxy', 'LocalServicePort'), 8080);
      const row = at(service, 'Proxy', 'Upstreams', 0);
      assert.equal(at(row, 'DestinationType'), 'service');
      assert.equal(at(row, 'LocalBindPort'), 9191);
      assert.deepEqual(at(row, 'Config'), { protocol: 'http' });
      await api.put('/v1/agent/service/deregister/c1-1');
      await api.eventually('/v1/health/connect/c1', (found) => lengthOf(found) === 0);
    },
  },
  {
    name: 'a blocking health query returns for its own service with a higher index',
    async run(api) {
      await api.register({ name: 'c2', id: 'c2-1', port: 1 });
      const first = await api.eventually('/v1/health/service/c2', (found) => lengthOf(found) === 1);
      assert.ok(first.index > 0);
      assert.equal(first.headers.get('x-consul-knownleader'), 'true');
      const waiting = api.get(`/v1/health/service/c2?index=${first.index}&wait=20s`);
      await api.register({ name: 'c2', id: 'c2-2', port: 2 });
      const second = await waiting;
      assert.ok(second.index > first.index);
      assert.equal(lengthOf(second), 2);
      for (const id of ['c2-1', 'c2-2']) await api.put(`/v1/agent/service/deregister/${id}`);
    },
  },
  {
    name: 'a change to another service leaves the index of a health query alone',
    async run(api) {
      await api.register({ name: 'c3', port: 1 });
      const before = await api.eventually('/v1/health/service/c3', (found) => lengthOf(found) === 1);
      await api.register({ name: 'c3-other', port: 2 });
      await api.eventually('/v1/health/service/c3-other', (found) => lengthOf(found) === 1);
      const after = await api.get(`/v1/health/service/c3?index=${before.index}&wait=50ms`);
      assert.equal(after.index, before.index);
      for (const id of ['c3', 'c3-other']) await api.put(`/v1/agent/service/deregister/${id}`);
    },
  },
  {
    name: 'TTL reports move an instance in and out of the passing ones; maintenance too',
    async run(api) {
      await api.register({ name: 'c4', port: 1, check: { ttl: '60s' } });
      await api.eventually('/v1/health/service/c4', (found) => lengthOf(found) === 1);
      assert.equal(lengthOf(await api.get('/v1/health/service/c4?passing')), 0);
      await api.put('/v1/agent/check/pass/service:c4?note=fine');
      const passing = await api.eventually('/v1/health/service/c4?passing', (found) => lengthOf(found) === 1);
      const checks = at(passing.json, 0, 'Checks');
      assert.ok(Array.isArray(checks) && checks.some((check) => at(check, 'CheckID') === 'serfHealth'));
      await api.put('/v1/agent/service/maintenance/c4?enable=true');
      await api.eventually('/v1/health/service/c4?passing', (found) => lengthOf(found) === 0);
      await api.put('/v1/agent/service/deregister/c4');
    },
  },
  {
    name: 'an agent service is waited for by the hash of its content',
    async run(api) {
      const registration = { name: 'c5', port: 1, connect: { sidecar_service: { port: 20_005 } } };
      await api.register(registration);
      const path = '/v1/agent/service/c5-sidecar-proxy';
      const first = await api.get(path);
      const hash = first.headers.get('x-consul-contenthash') ?? '';
      assert.equal(at(first.json, 'ContentHash'), hash);
      const waiting = api.get(`${path}?hash=${hash}&wait=20s`);
      await api.register({ ...registration, port: 2 });
      const second = await waiting;
      assert.equal(at(second.json, 'Proxy', 'LocalServicePort'), 2);
      assert.notEqual(second.headers.get('x-consul-contenthash'), hash);
      await api.put('/v1/agent/service/deregister/c5');
      const gone = await api.get(path);
      assert.deepEqual([gone.status, gone.text], [404, 'unknown service ID: c5-sidecar-proxy']);
    },
  },
  {
    name: 'filters select by field, map, list and check, and refuse selectors that do not exist',
    async run(api) {
      await api.register({ name: 'c6', id: 'c6-1', port: 1, tags: ['blue'], meta: { version: '1' } });
      await api.register({ name: 'c6', id: 'c6-2', port: 2, tags: ['green'], meta: { version: '2' } });
      await api.eventually('/v1/health/service/c6', (found) => lengthOf(found) === 2);
      const counts: readonly (readonly [string, number])[] = [
        ['Service.Meta.version == 2', 1],
        ['"blue" in Service.Tags', 1],
        ['Service.Port == 1 or Service.ID matches "-2$"', 2],
        ['not Checks.Status == passing', 0],
        ['Service.Meta.version != 2 and Service.Tags is not empty', 1],
      ];
      for (const [text, count] of counts) {
        assert.equal(lengthOf(await api.get(`/v1/health/service/c6?filter=${filter(text)}`)), count, text);
      }
      const wrong = await api.get(`/v1/health/service/c6?filter=${filter('Service.Nope == 1')}`);
      assert.equal(wrong.status, 500);
      assert.match(wrong.text, /Selector "Service\.Nope" is not valid/);
      for (const id of ['c6-1', 'c6-2']) await api.put(`/v1/agent/service/deregister/${id}`);
    },
  },
  {
    name: 'wrong registrations are refused with their reason',
    async run(api) {
      const refusals: readonly (readonly [unknown, RegExp])[] = [
        [{}, /Missing service name/],
        [{ name: 'c7', colour: 1 }, /unknown field "colour"/],
        [{ name: 'c7', address: '0.0.0.0' }, /Invalid service address/],
        [{ name: 'c7', check: { http: 'http://127.0.0.1' } }, /Interval must be > 0/],
        [{ name: 'c7', kind: 'connect-proxy', port: 1 }, /Proxy\.DestinationServiceName must be non-empty/],
        [{ name: 'c7', connect: { sidecar_service: { id: 'x' } } }, /cannot specify an ID/],
      ];
      for (const [body, reason] of refusals) {
        const reply = await api.put('/v1/agent/service/register', body);
        assert.equal(reply.status, 400);
        assert.match(reply.text, reason);
      }
    },
  },
  {
    name: 'config entries keep their shape, opaque maps untouched, durations as Consul writes them',
    async run(api) {
      const defaults = {
        kind: 'service-defaults',
        name: 'c8',
        protocol: 'HTTP',
        upstream_config: { defaults: { connect_timeout_ms: 5, passive_health_check: { interval: '10s' } } },
      };
      assert.equal((await api.put('/v1/config', defaults)).text.trim(), 'true');
      const stored = await api.get('/v1/config/service-defaults/c8');
      assert.equal(at(stored.json, 'Protocol'), 'http');
      assert.equal(at(stored.json, 'UpstreamConfig', 'Defaults', 'ConnectTimeoutMs'), 5);
      assert.equal(at(stored.json, 'UpstreamConfig', 'Defaults', 'PassiveHealthCheck', 'Interval'), 10_000_000_000);
      const resolver = {
        Kind: 'service-resolver',
        Name: 'c8',
        ConnectTimeout: '1500ms',
        Subsets: { v1: { Filter: 'Service.Meta.v == 1' } },
      };
      await api.put('/v1/config', resolver);
      assert.equal(at((await api.get('/v1/config/service-resolver/c8')).json, 'ConnectTimeout'), '1.5s');
      const missing = await api.get('/v1/config/service-router/c8');
      assert.deepEqual(
        [missing.status, missing.text.trim()],
        [404, 'Config entry not found for "service-router" / "c8"'],
      );
      assert.ok(missing.index > 0);
      for (const kind of ['service-resolver', 'service-defaults']) await api.delete(`/v1/config/${kind}/c8`);
    },
  },
  {
    name: 'entries that no chain could be made of are refused with 500 and change nothing',
    async run(api) {
      await api.put('/v1/config', { Kind: 'service-defaults', Name: 'c9-tcp', Protocol: 'tcp' });
      const refusals: readonly (readonly [unknown, RegExp])[] = [
        [
          { Kind: 'service-router', Name: 'c9-tcp', Routes: [] },
          /does not permit advanced routing or splitting behavior/,
        ],
        [
          { Kind: 'service-splitter', Name: 'c9', Splits: [{ Weight: 60 }] },
          /the sum of all split weights must be 100/,
        ],
        [{ Kind: 'service-resolver', Name: 'c9', DefaultSubset: 'x' }, /DefaultSubset "x" is not a valid subset/],
        [{ Kind: 'service-resolver', Name: 'c9', LoadBalancer: { Policy: 'x' } }, /Bad LoadBalancer policy/],
      ];
      for (const [body, reason] of refusals) {
        const reply = await api.put('/v1/config', body);
        assert.equal(reply.status, 500, reply.text);
        assert.match(reply.text, reason);
      }
      assert.equal((await api.get('/v1/config/service-router/c9-tcp')).status, 404);
      await api.delete('/v1/config/service-defaults/c9-tcp');
    },
  },
  {
    name: 'a config entry that appears wakes whoever waits for its kind',
    async run(api) {
      const first = await api.get('/v1/config/service-resolver');
      const waiting = api.get(`/v1/config/service-resolver?index=${first.index}&wait=20s`);
      await api.put('/v1/config', { Kind: 'service-resolver', Name: 'c10', ConnectTimeout: '1s' });
      const second = await waiting;
      assert.ok(second.index > first.index);
      assert.ok(Array.isArray(second.json) && second.json.some((entry) => at(entry, 'Name') === 'c10'));
      await api.delete('/v1/config/service-resolver/c10');
    },
  },
  {
    name: 'a discovery chain is compiled, waited for, and overridden by who asks',
    async run(api) {
      await api.put('/v1/config', { Kind: 'service-defaults', Name: 'c12', Protocol: 'http' });
      const first = await api.get('/v1/discovery-chain/c12');
      assert.equal(at(first.json, 'Chain', 'Default'), true);
      assert.ok(first.index > 0);
      const waiting = api.get(`/v1/discovery-chain/c12?index=${first.index}&wait=20s`);
      await api.put('/v1/config', {
        Kind: 'service-resolver',
        Name: 'c12',
        DefaultSubset: 'v1',
        Subsets: { v1: { Filter: 'Service.Meta.v == 1' } },
        ConnectTimeout: '2s',
      });
      const second = await waiting;
      assert.ok(second.index > first.index);
      const target = 'v1.c12.default.default.dc1';
      assert.equal(at(second.json, 'Chain', 'StartNode'), `resolver:${target}`);
      assert.equal(at(second.json, 'Chain', 'Targets', target, 'Subset', 'Filter'), 'Service.Meta.v == 1');
      assert.equal(at(second.json, 'Chain', 'Nodes', `resolver:${target}`, 'Resolver', 'ConnectTimeout'), '2s');
      const asked = await api.post('/v1/discovery-chain/c12?compile-dc=dc9', { OverrideConnectTimeout: '9s' });
      const elsewhere = 'v1.c12.default.default.dc9';
      assert.equal(at(asked.json, 'Chain', 'Targets', elsewhere, 'ConnectTimeout'), '9s');
      assert.equal(typeof at(asked.json, 'Chain', 'CustomizationHash'), 'string');
      const wrong = await api.post('/v1/discovery-chain/c12', { OverrideMeshGateway: { Mode: 'sideways' } });
      assert.deepEqual([wrong.status, wrong.text], [400, 'Invalid OverrideMeshGateway.Mode parameter']);
      const nameless = await api.get('/v1/discovery-chain/');
      assert.deepEqual([nameless.status, nameless.text], [400, 'Missing chain name']);
      for (const kind of ['service-resolver', 'service-defaults']) await api.delete(`/v1/config/${kind}/c12`);
    },
  },
  {
    name: 'keys: check-and-set, prefix queries and their index after a deletion',
    async run(api) {
      assert.equal((await api.put('/v1/kv/c11/a?cas=0', 'one')).text.trim(), 'true');
      assert.equal((await api.put('/v1/kv/c11/a?cas=0', 'two')).text.trim(), 'false');
      assert.equal((await api.get('/v1/kv/c11/a?raw')).text, 'one');
      const before = await api.get('/v1/kv/c11/?recurse');
      await api.delete('/v1/kv/c11/?recurse');
      const gone = await api.get('/v1/kv/c11/?recurse');
      assert.equal(gone.status, 404);
      assert.ok(gone.index > before.index);
    },
  },
  {
    name: 'wrong query parameters are refused',
    async run(api) {
      const refusals: readonly (readonly [string, number, RegExp])[] = [
        ['/v1/catalog/nodes?wait=soon', 400, /Invalid wait time/],
        ['/v1/catalog/nodes?index=x', 400, /Invalid index/],
        ['/v1/catalog/nodes?stale&consistent', 400, /conflicting semantics/],
        ['/v1/catalog/nodes?dc=nowhere', 500, /No path to datacenter/],
        ['/v1/nothing', 404, /not a recognized HTTP API endpoint/],
      ];
      for (const [path, status, reason] of refusals) {
        const reply = await api.get(path);
        assert.equal(reply.status, status, path);
        assert.match(reply.text, reason);
      }
      const method = await api.delete('/v1/agent/services');
      assert.equal(method.status, 405);
    },
  },
];
