import fc from 'fast-check';
import { expect, test } from 'vitest';
import { mergedParts } from './held-units.ts';
import { inconsistencies } from './snapshot/consistency.ts';
import { ResourceEncoder } from './snapshot/resource-encoder.ts';
import type { Json } from './snapshot/resource-literal.ts';
import { type Entry, registration, translated } from './testing/catalog-fixtures.ts';

const service = fc.constantFrom('api', 'web', 'cart', 'stock');
const subset = fc.constantFrom('', '', 'v1', 'v2');

const splitter = fc
  .tuple(service, fc.array(fc.record({ Service: service, ServiceSubset: subset }), { minLength: 1, maxLength: 4 }))
  .map(([Name, splits]): Entry => {
    const share = Math.floor(10_000 / splits.length) / 100;
    const Splits = splits.map((split, at) => ({
      ...split,
      Weight: at === 0 ? 100 - share * (splits.length - 1) : share,
    }));
    return { Kind: 'service-splitter', Name, Splits };
  });

const resolver = fc
  .record({
    Name: service,
    DefaultSubset: subset,
    Redirect: fc.option(fc.record({ Service: service, ServiceSubset: subset }), { nil: undefined, freq: 4 }),
    Policy: fc.constantFrom('', 'random', 'ring_hash', 'maglev', 'least_request'),
  })
  .map(
    ({ Policy, ...fields }): Entry => ({
      Kind: 'service-resolver',
      Subsets: { v1: { Filter: 'Service.Meta.v == 1' }, v2: { OnlyPassing: true } },
      LoadBalancer: { Policy },
      ...fields,
    }),
  );

const router = fc
  .tuple(
    service,
    fc.array(
      fc.record({
        Match: fc.record({
          HTTP: fc.record({ PathPrefix: fc.constantFrom('', '/', '/a'), CaseInsensitive: fc.boolean() }),
        }),
        Destination: fc.record({ Service: service, ServiceSubset: subset, NumRetries: fc.nat(3) }),
      }),
      { maxLength: 4 },
    ),
  )
  .map(([Name, Routes]): Entry => ({ Kind: 'service-router', Name, Routes }));

const defaults = fc
  .record({ Name: service, Protocol: fc.constantFrom('tcp', 'http', 'grpc', 'nonsense') })
  .map((fields): Entry => ({ Kind: 'service-defaults', ...fields }));

const mesh = fc
  .constantFrom('http', 'tcp')
  .map((protocol): Entry => ({ Kind: 'proxy-defaults', Name: 'global', Config: { protocol } }));

const upstreams = fc.array(
  fc.record({
    DestinationName: service,
    LocalBindPort: fc.integer({ min: 0, max: 5 }),
    Config: fc.constantFrom<Json>({}, { protocol: 'http' }, { limits: { max_connections: 3 } }, { protocol: 'x' }),
  }),
  { maxLength: 5 },
);

/** One entry per kind and name, as in Consul. */
const anyEntries = fc
  .tuple(mesh, fc.array(fc.oneof(splitter, resolver, router, defaults), { maxLength: 10 }))
  .map(([first, rest]) => [
    ...new Map([first, ...rest].map((entry) => [`${entry.Kind}/${entry.Name}`, entry])).values(),
  ]);

test('whatever is written, what comes out is consistent, encodes, and accounts for every upstream', () => {
  fc.assert(
    fc.property(anyEntries, upstreams, (entries, Upstreams) => {
      const proxy = translated(registration({ Upstreams }), ...entries);
      const parts = mergedParts(proxy.units);
      expect(inconsistencies(parts.resources, new Set(parts.assignments))).toEqual([]);
      const encoder = new ResourceEncoder();
      for (const resource of parts.resources) expect(encoder.encode(resource)).toMatchObject({ ok: true });
      const keys = [...proxy.units.map(({ key }) => key), ...proxy.faultyUnits];
      expect(new Set(keys).size).toBe(keys.length);
      if (proxy.faultyUnits.length > 0) expect(proxy.problems.length).toBeGreaterThanOrEqual(proxy.faultyUnits.length);
    }),
    { numRuns: 300 },
  );
});

test('equal input gives byte-equal output, in whatever order entries are listed', () => {
  fc.assert(
    fc.property(anyEntries, upstreams, (entries, Upstreams) => {
      const proxy = registration({ Upstreams });
      const once = JSON.stringify(translated(proxy, ...entries));
      expect(JSON.stringify(translated(proxy, ...entries))).toBe(once);
      expect(JSON.stringify(translated(proxy, ...[...entries].reverse()))).toBe(once);
    }),
    { numRuns: 150 },
  );
});

test('two units never give one cluster name two meanings', () => {
  fc.assert(
    fc.property(anyEntries, upstreams, (entries, Upstreams) => {
      const proxy = translated(registration({ Upstreams }), ...entries);
      const meanings = new Map<string, string>();
      for (const { typeUrl, name, json } of proxy.units.flatMap(({ resources }) => resources)) {
        const text = JSON.stringify(json);
        expect(meanings.get(`${typeUrl} ${name}`) ?? text).toBe(text);
        meanings.set(`${typeUrl} ${name}`, text);
      }
    }),
    { numRuns: 150 },
  );
});

test('entries of services that were not asked for have no say', () => {
  fc.assert(
    fc.property(anyEntries, upstreams, (entries, Upstreams) => {
      const proxy = translated(registration({ Upstreams }), ...entries);
      const concerned = entries.filter(({ Kind, Name }) => Kind === 'proxy-defaults' || proxy.services.has(Name));
      expect(JSON.stringify(translated(registration({ Upstreams }), ...concerned))).toBe(JSON.stringify(proxy));
    }),
    { numRuns: 150 },
  );
});
