import { expect, test } from 'vitest';
import type { ChainEntries, ChainResolver, ChainSplitterSplit, TargetChange } from './chain-entries.ts';
import { ChainFault, compileChain, NO_OVERRIDES } from './discovery-chain.ts';

/** What the chains of whole combinations of entries come to is compared with Consul in test/conformance/discovery-chain. */

const NO_MESH = { protocol: 'http', meshGatewayMode: '', dialedDirectly: false };

interface Written {
  readonly splitters?: Readonly<Record<string, readonly Omit<ChainSplitterSplit<string>, 'definition'>[]>>;
  readonly resolvers?: Readonly<Record<string, Partial<ChainResolver<string>>>>;
}

function entries({ splitters = {}, resolvers = {} }: Written): ChainEntries<string, string, string> {
  const nothing: ChainResolver<string> = {
    defaultSubset: '',
    subsets: new Set(),
    redirect: undefined,
    failover: new Map(),
    connectTimeoutMs: 0,
    requestTimeoutMs: 0,
    loadBalancer: undefined,
    isDefault: false,
  };
  return {
    mesh: NO_MESH,
    serviceSettings: () => undefined,
    router: () => undefined,
    splitter: (service) => splitters[service]?.map((split, at) => ({ ...split, definition: `${service}[${at}]` })),
    resolver: (service) => (resolvers[service] === undefined ? undefined : { ...nothing, ...resolvers[service] }),
    mergeSplits: (outer, inner) => `${outer} ${inner}`,
    isHashing: (balancer) => balancer === 'maglev',
  };
}

const compile = (written: Written) =>
  compileChain({ service: 'web', datacenter: 'dc1', overrides: NO_OVERRIDES }, entries(written));
const to = (service: string): TargetChange => ({ service, subset: '', datacenter: '', peer: '' });
const half = (service: string) => ({ weight: 50, service, subset: '' });

test('nested splitters are laid flat, outermost definitions first', () => {
  const { nodes } = compile({
    splitters: { web: [half(''), half('api')], api: [half(''), half('cart')], cart: [half(''), half('pay')] },
  });
  const node = nodes.get('splitter:web.default.default');
  expect(node?.type === 'splitter' ? node.splits : []).toEqual([
    { weight: 50, definition: 'web[0]', nextNode: 'resolver:web.default.default.dc1' },
    { weight: 25, definition: 'web[1] api[0]', nextNode: 'resolver:api.default.default.dc1' },
    { weight: 12.5, definition: 'web[1] api[1] cart[0]', nextNode: 'resolver:cart.default.default.dc1' },
    { weight: 12.5, definition: 'web[1] api[1] cart[1]', nextNode: 'resolver:pay.default.default.dc1' },
  ]);
  expect([...nodes.keys()].filter((key) => key.startsWith('splitter'))).toEqual(['splitter:web.default.default']);
});

test('splitters that multiply beyond measure are refused in time', () => {
  const names = Array.from({ length: 40 }, (_, at) => (at === 0 ? 'web' : `s${at}`));
  const splitters = Object.fromEntries(
    names.slice(0, -1).map((name, at) => {
      const next = names[at + 1] ?? '';
      return [name, [half(next), { weight: 50, service: next, subset: '' }]];
    }),
  );
  expect(() => compile({ splitters })).toThrow(/splits once nested splitters are laid flat/);
});

test('a fault names the entry that has it', () => {
  const fault = (written: Written): unknown => {
    try {
      return compile(written);
    } catch (error) {
      return error instanceof ChainFault ? error.entry : error;
    }
  };
  expect(fault({ splitters: { web: [{ weight: 100, service: '', subset: 'v9' }] } })).toEqual({
    kind: 'service-splitter',
    name: 'web',
  });
  expect(fault({ resolvers: { web: { redirect: to('api') }, api: { redirect: to('web') } } })).toEqual({
    kind: 'service-resolver',
    name: 'web',
  });
  expect(fault({ splitters: { web: [half('api'), half('')], api: [half('web'), half('')] } })).toMatchObject({
    kind: 'service-splitter',
  });
});

test('a failover follows redirects, and no failover of its own', () => {
  const failover = new Map([['*', [to('api'), to('web')]]]);
  const { nodes, targets } = compile({
    resolvers: {
      web: { failover },
      api: { redirect: to('spare'), failover: new Map() },
      spare: { failover: new Map([['*', [to('last')]]]) },
    },
  });
  const node = nodes.get('resolver:web.default.default.dc1');
  expect(node?.type === 'resolver' ? node.failover : []).toEqual(['spare.default.default.dc1']);
  expect([...targets.keys()].sort()).toEqual(['spare.default.default.dc1', 'web.default.default.dc1']);
});
