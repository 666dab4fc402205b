import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ServiceIntentions } from '../../../src/control/translate/intentions.ts';
import {
  type Call,
  engineOf,
  intentionsOfApi,
  type Json,
  letsIn,
  ownEngine,
  TRUST_DOMAIN,
} from '../../conformance/intentions/rules-of.ts';
import { until } from '../../mesh/support/waiting.ts';
import { type ConsulAgent, startConsul } from '../support/consul.ts';
import { describeWithPeer } from '../support/peer.ts';
import { captureResources } from '../xds/foreign/support/capture.ts';

const PERMISSIONS = [
  { Action: 'deny', HTTP: { PathPrefix: '/private', Methods: ['PUT', 'POST'] } },
  { Action: 'allow', HTTP: { PathExact: '/private/x' } },
  { Action: 'allow', HTTP: { PathRegex: '/v[0-9]+/.*', Header: [{ Name: 'x-team', Exact: 'red', Invert: true }] } },
  { Action: 'deny', HTTP: { PathPrefix: '/' } },
];
type World = readonly (readonly [destination: string, ...sources: readonly Json[]])[];

const WORLDS: readonly World[] = [
  [],
  [['api', { Name: 'web', Action: 'deny' }]],
  [['api', { Name: 'web', Action: 'allow' }, { Name: '*', Action: 'deny' }]],
  [['api', { Name: 'web', Action: 'deny' }, { Name: '*', Action: 'allow' }]],
  [['*', { Name: 'cli', Action: 'deny' }, { Name: '*', Action: 'allow' }]],
  [
    ['api', { Name: 'cli', Action: 'allow' }],
    ['*', { Name: 'cli', Action: 'deny' }, { Name: 'web', Action: 'deny' }],
  ],
  [['api', { Name: 'web', Permissions: PERMISSIONS }]],
  [['api', { Name: 'web', Permissions: PERMISSIONS }, { Name: '*', Action: 'deny' }]],
];

/** One for all sources is stronger here than one for all destinations: Consul's rules for proxies forget the former. */
const CROSSED: World = [
  ['api', { Name: '*', Action: 'allow' }],
  ['*', { Name: 'web', Action: 'deny' }],
];

const CALLS: readonly Call[] = ['web', 'cli', 'other'].flatMap((source) =>
  ['GET', 'PUT'].flatMap((method) =>
    ['/', '/private', '/private/x', '/v1/things', '/vx/things'].flatMap((path) =>
      [[], [['x-team', 'red']] as const, [['x-team', 'blue']] as const].map((fields) => ({
        source,
        method,
        path,
        fields,
      })),
    ),
  ),
);

describeWithPeer('consul', "intentions, beside what Consul's own control plane makes of them", () => {
  let consul: ConsulAgent;
  let port = 0;

  beforeAll(async () => {
    consul = await startConsul();
    port = Number(consul.grpcAddress.split(':')[1]);
    await put('/v1/config', { Kind: 'proxy-defaults', Name: 'global', Config: { protocol: 'http' } });
    const Connect = { SidecarService: { Port: 2 } };
    await put('/v1/agent/service/register', { Name: 'api', ID: 'api-1', Port: 1, Connect });
  });

  afterAll(() => consul?.[Symbol.asyncDispose]());

  async function put(path: string, body: unknown): Promise<void> {
    const response = await fetch(`${consul.httpAddress}${path}`, { method: 'PUT', body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`PUT ${path}: ${response.status} ${await response.text()}`);
  }

  /** Writes these intentions and no others, and reads them as our control server does. */
  async function known(world: World): Promise<ServiceIntentions> {
    const entries = `${consul.httpAddress}/v1/config/service-intentions`;
    for (const destination of ['api', '*']) await fetch(`${entries}/${destination}`, { method: 'DELETE' });
    for (const [Name, ...Sources] of world) await put('/v1/config', { Kind: 'service-intentions', Name, Sources });
    const response = await fetch(entries);
    const written = (await response.json()) as readonly Json[] | null;
    return intentionsOfApi(written ?? [], response.headers.get('x-consul-default-acl-policy') ?? '');
  }

  test.each(WORLDS.map((world) => [world] as const))('every call is decided alike: %j', async (world) => {
    const own = decisions(ownEngine(await known(world), true));
    // Consul's proxies follow its entries a moment later.
    const theirs = await until("Consul's rules", async () => {
      const made = decisions(engineOf(await rulesOfConsul(port)));
      return JSON.stringify(made) === JSON.stringify(own) ? made : undefined;
    }).catch(async () => decisions(engineOf(await rulesOfConsul(port))));
    expect(theirs).toEqual(own);
  });

  test("where Consul's rules for proxies leave Consul's own precedence, ours stay with it", async () => {
    const engine = ownEngine(await known(CROSSED), true);
    for (const source of ['web', 'cli']) {
      const url = `${consul.httpAddress}/v1/connect/intentions/check?source=${source}&destination=api`;
      const { Allowed: allowed } = (await (await fetch(url)).json()) as { readonly Allowed: boolean };
      expect(letsIn(engine, { source, method: 'GET', path: '/' })).toBe(allowed);
    }
  });
});

function decisions(engine: ReturnType<typeof engineOf>): Readonly<Record<string, boolean>> {
  return Object.fromEntries(CALLS.map((call) => [JSON.stringify(call), letsIn(engine, call)]));
}

/** The rules of the HTTP filter `rbac` of the public listener that Consul sends to the sidecar of `api`. */
async function rulesOfConsul(port: number): Promise<Json> {
  const captured = await captureResources(port, 'api-1-sidecar-proxy');
  const listener = captured.find(({ name }) => name.startsWith('public_listener'));
  const text = JSON.stringify(listener?.json ?? {}).replaceAll(/[0-9a-f-]{36}\.consul/g, TRUST_DOMAIN);
  const chain = (JSON.parse(text) as { filterChains: readonly { filters: readonly { typedConfig: Json }[] }[] })
    .filterChains[0];
  const filters =
    chain?.filters.flatMap(({ typedConfig }) => (typedConfig['httpFilters'] ?? []) as readonly Json[]) ?? [];
  const rbac = filters.find(({ name }) => name === 'envoy.filters.http.rbac');
  if (rbac === undefined) throw new Error('no rbac filter');
  return (rbac['typedConfig'] as { readonly rules: Json }).rules;
}
