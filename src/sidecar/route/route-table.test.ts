import { describe, expect, it } from 'vitest';
import { plainRequest } from '../../../test/support/plain-fields.ts';
import { route, routeAction, routeConfiguration, routeMatch, virtualHost } from '../../../test/support/resources.ts';
import { seededRandom } from '../../base/random.ts';
import type { HeaderMatcher } from '../../resource/matcher.ts';
import type { Route, RouteMatch } from '../../resource/route-configuration.ts';
import { RouteTable } from './route-table.ts';

const random = seededRandom(1);

function tableOf(...routes: Route[]): RouteTable {
  return new RouteTable(routeConfiguration({ virtualHosts: [virtualHost({ routes })] }), random);
}

function tableMatching(match: Partial<RouteMatch>): RouteTable {
  return tableOf(route({ match: routeMatch(match) }));
}

describe('virtual hosts', () => {
  const table = new RouteTable(
    routeConfiguration({
      virtualHosts: ['web.example', '*.example', '*.shop.example', 'web.*', 'web.shop.*', '*'].map((domain) =>
        virtualHost({ name: domain, domains: [domain] }),
      ),
    }),
    random,
  );
  it.each([
    ['web.example', 'web.example'],
    ['WEB.Example', 'web.example'],
    ['a.example', '*.example'],
    ['a.shop.example', '*.shop.example'],
    ['web.test', 'web.*'],
    ['web.shop.test', 'web.shop.*'],
    ['other.test', '*'],
    ['.example', '*'],
  ])('%s is served by %s', (authority, expected) => {
    expect(table.match(plainRequest('/', [], { authority }))?.virtualHostName).toBe(expected);
  });

  it('compares the port unless told to ignore it', () => {
    const configuration = routeConfiguration({ virtualHosts: [virtualHost({ domains: ['web.example'] })] });
    const request = plainRequest('/', [], { authority: 'web.example:8080' });
    expect(new RouteTable(configuration, random).match(request)).toBeUndefined();
    expect(new RouteTable({ ...configuration, ignorePortInHostMatching: true }, random).match(request)).toBeDefined();
    const ipv6 = routeConfiguration({
      virtualHosts: [virtualHost({ domains: ['[::1]'] })],
      ignorePortInHostMatching: true,
    });
    expect(new RouteTable(ipv6, random).match(plainRequest('/', [], { authority: '[::1]:80' }))).toBeDefined();
  });

  it('answers nothing where no host and no route matches', () => {
    expect(tableMatching({ path: { kind: 'path', path: '/a' } }).match(plainRequest('/b'))).toBeUndefined();
  });
});

describe('path match', () => {
  it.each([
    [{ kind: 'prefix', prefix: '/a' }, '/ab', true],
    [{ kind: 'prefix', prefix: '/a' }, '/b', false],
    [{ kind: 'path', path: '/a' }, '/a?x=1', true],
    [{ kind: 'path', path: '/a' }, '/a/', false],
    [{ kind: 'pathSeparatedPrefix', prefix: '/a' }, '/a/b', true],
    [{ kind: 'pathSeparatedPrefix', prefix: '/a' }, '/ab', false],
    [{ kind: 'pathSeparatedPrefix', prefix: '/a' }, '/a', true],
    [{ kind: 'safeRegex', pattern: '/v\\d+/.*' }, '/v12/x', true],
    [{ kind: 'safeRegex', pattern: '/v\\d+' }, '/v12/x', false],
  ] as const)('%o on %s is %s', (path, requestPath, expected) => {
    expect(tableMatching({ path }).match(plainRequest(requestPath)) !== undefined).toBe(expected);
  });

  it('folds case where the route says so', () => {
    const table = tableMatching({ path: { kind: 'prefix', prefix: '/Shop' }, caseSensitive: false });
    expect(table.match(plainRequest('/sHOP/1'))).toBeDefined();
  });

  it('takes the first route that matches', () => {
    const table = tableOf(route({ name: 'first' }), route({ name: 'second' }));
    expect(table.match(plainRequest('/'))?.name).toBe('first');
  });

  it('names a nameless route by its virtual host and place', () => {
    expect(tableOf(route()).match(plainRequest('/'))?.name).toBe('all/0');
  });
});

describe('header match', () => {
  const header = (match: HeaderMatcher['match'], overrides: Partial<HeaderMatcher> = {}): HeaderMatcher => ({
    name: 'x-kind',
    match,
    invertMatch: false,
    treatMissingHeaderAsEmpty: false,
    ...overrides,
  });
  const exact = (value: string) => ({ kind: 'string', matcher: { kind: 'exact', value, ignoreCase: false } }) as const;
  const matches = (matcher: HeaderMatcher, pairs: readonly (readonly [string, string])[]): boolean =>
    tableMatching({ headers: [matcher] }).match(plainRequest('/', pairs)) !== undefined;

  it('compares every value of a repeated field, joined by a comma', () => {
    expect(
      matches(header(exact('a,b')), [
        ['x-kind', 'a'],
        ['x-kind', 'b'],
      ]),
    ).toBe(true);
    expect(
      matches(header(exact('a')), [
        ['x-kind', 'a'],
        ['x-kind', 'b'],
      ]),
    ).toBe(false);
  });

  it('never matches a missing field, inverted or not, unless told to take it as empty', () => {
    expect(matches(header(exact('a')), [])).toBe(false);
    expect(matches(header(exact('a'), { invertMatch: true }), [])).toBe(false);
    expect(matches(header(exact('')), [])).toBe(false);
    expect(matches(header(exact(''), { treatMissingHeaderAsEmpty: true }), [])).toBe(true);
  });

  it('inverts', () => {
    expect(matches(header(exact('a'), { invertMatch: true }), [['x-kind', 'b']])).toBe(true);
    expect(matches(header({ kind: 'present', present: true }, { invertMatch: true }), [])).toBe(true);
  });

  it('takes only whole decimal numbers into a range, end excluded', () => {
    const range = header({ kind: 'range', start: -5, end: 10 });
    for (const [value, expected] of [
      ['-5', true],
      ['9', true],
      ['10', false],
      ['5x', false],
      ['', false],
      ['0x5', false],
    ] as const) {
      expect(matches(range, [['x-kind', value]])).toBe(expected);
    }
  });

  it('sees the method as :method', () => {
    const method = header(exact('POST'), { name: ':method' });
    const table = tableMatching({ headers: [method] });
    expect(table.match(plainRequest('/', [], { method: 'POST' }))).toBeDefined();
    expect(table.match(plainRequest('/'))).toBeUndefined();
  });
});

describe('query and fraction match', () => {
  it('compares a query parameter', () => {
    const table = tableMatching({
      queryParameters: [
        { name: 'v', match: { kind: 'string', matcher: { kind: 'prefix', value: '2', ignoreCase: false } } },
      ],
    });
    expect(table.match(plainRequest('/?a=1&v=21'))).toBeDefined();
    expect(table.match(plainRequest('/?v=1'))).toBeUndefined();
    expect(table.match(plainRequest('/'))).toBeUndefined();
  });

  it('takes the share of requests that runtime_fraction says', () => {
    const table = tableMatching({ runtimeFraction: 0.25 });
    let taken = 0;
    for (let index = 0; index < 10_000; index++) if (table.match(plainRequest('/')) !== undefined) taken++;
    expect(taken).toBeGreaterThan(2300);
    expect(taken).toBeLessThan(2700);
  });
});

describe('what a route does to a request', () => {
  it('splits by weight', () => {
    const clusters = [
      { name: 'a', weight: 1, headers: virtualHost().headers },
      { name: 'b', weight: 3, headers: virtualHost().headers },
    ];
    const matched = tableOf(
      route({ action: routeAction({ cluster: { kind: 'weightedClusters', clusters, totalWeight: 4 } }) }),
    ).match(plainRequest('/'));
    const counts = new Map<string, number>();
    for (let index = 0; index < 8000; index++) {
      const name = matched?.pickCluster(plainRequest('/'), random)?.name ?? '';
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    expect(counts.get('a')).toBeGreaterThan(1800);
    expect(counts.get('a')).toBeLessThan(2200);
    expect((counts.get('a') ?? 0) + (counts.get('b') ?? 0)).toBe(8000);
  });

  it('takes the cluster from a header, and none where it is missing', () => {
    const matched = tableOf(
      route({ action: routeAction({ cluster: { kind: 'clusterHeader', header: 'x-cluster' } }) }),
    ).match(plainRequest('/'));
    expect(matched?.pickCluster(plainRequest('/', [['x-cluster', 'blue']]), random)?.name).toBe('blue');
    expect(matched?.pickCluster(plainRequest('/'), random)).toBeUndefined();
  });

  it.each([
    [{ kind: 'prefix', prefix: '/old' }, { prefixRewrite: '/new' }, '/old/x?q=/old', '/new/x?q=/old'],
    [{ kind: 'path', path: '/old' }, { prefixRewrite: '/new' }, '/old?q', '/new?q'],
    [
      { kind: 'prefix', prefix: '/' },
      { regexRewrite: { pattern: '^/service/([^/]+)(/.*)$', substitution: '\\2/instance/\\1' } },
      '/service/foo/v1/api?x',
      '/v1/api/instance/foo?x',
    ],
    [{ kind: 'prefix', prefix: '/' }, { regexRewrite: { pattern: 'one', substitution: '$1' } }, '/xxone', '/xx$1'],
    [{ kind: 'prefix', prefix: '/' }, {}, '/kept?q=1', '/kept?q=1'],
  ] as const)('rewrites a path matched by %o with %o: %s → %s', (path, rewrite, given, expected) => {
    const matched = tableOf(route({ match: routeMatch({ path }), action: routeAction(rewrite) })).match(
      plainRequest(given),
    );
    expect(matched?.rewritePath(given)).toBe(expected);
  });

  it('rewrites the authority: literal, from a header, from the path, from the picked endpoint', () => {
    const rewritten = (
      hostRewrite: NonNullable<ReturnType<typeof routeAction>['hostRewrite']>,
      hostname = 'ep.example',
      requestPath = '/',
    ) =>
      tableOf(route({ action: routeAction({ hostRewrite }) }))
        .match(plainRequest('/'))
        ?.rewriteAuthority(plainRequest(requestPath, [['x-host', 'h.example']]), hostname);
    const fromPath = { kind: 'pathRegex', pattern: '^/([a-z]+)/.*$', substitution: '\\1.example' } as const;
    expect(rewritten(fromPath, '', '/shop/cart?x=/a/')).toBe('shop.example');
    expect(rewritten({ kind: 'literal', value: 'l.example' })).toBe('l.example');
    expect(rewritten({ kind: 'header', name: 'x-host' })).toBe('h.example');
    expect(rewritten({ kind: 'auto' })).toBe('ep.example');
    expect(rewritten({ kind: 'auto' }, '')).toBe('web.example');
  });
});
