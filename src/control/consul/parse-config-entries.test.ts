import { describe, expect, test } from 'vitest';
import { parseConfigEntries } from './parse-config-entries.ts';

const router = (http: object, extra: object = {}): object => ({
  Kind: 'service-router',
  Name: 'api',
  ModifyIndex: 42,
  Routes: [{ Match: { HTTP: http }, Destination: null }],
  ...extra,
});

describe('config entries', () => {
  test('take null and absent for empty, and ignore fields they do not know', () => {
    const body = [
      { Kind: 'service-router', Name: 'api', Routes: null, CreateIndex: 1, ModifyIndex: 2, Partition: 'default' },
    ];
    const { entries, problems } = parseConfigEntries('service-router', body, undefined);
    expect(problems).toEqual([]);
    expect(entries.get('api')?.routes).toEqual([]);
    expect(parseConfigEntries('service-router', null, undefined).entries.size).toBe(0);
  });

  test.each([
    [
      'a broken regular expression',
      router({ PathRegex: '/(' }),
      'Routes[0].Match.HTTP.PathRegex: no RE2 regular expression',
    ],
    ['a lookahead, which RE2 has not', router({ PathRegex: '/a(?=b)' }), 'no RE2 regular expression'],
    ['an endless regular expression', router({ PathRegex: 'a'.repeat(2_000) }), 'PathRegex'],
    ['two paths', router({ PathExact: '/a', PathPrefix: '/b' }), 'only one of PathExact, PathPrefix, PathRegex'],
    ['a path without a slash', router({ PathExact: 'a' }), 'a path begins with "/"'],
    ['a header matched twice', router({ Header: [{ Name: 'a', Exact: '1', Prefix: '2' }] }), 'exactly one of Present'],
    ['a header name that is none', router({ Header: [{ Name: 'a b', Exact: '1' }] }), 'no header field name'],
    ['a method that is none', router({ Methods: ['GET|.*'] }), 'no HTTP method'],
    ['a list that is none', router({}, { Routes: 'all' }), 'Routes'],
  ])('name %s, with entry, field and ModifyIndex', (_what, entry, message) => {
    const { entries, problems } = parseConfigEntries('service-router', [entry], undefined);
    expect(entries.size).toBe(0);
    expect(problems).toEqual([
      {
        severity: 'error',
        where: 'service-router/api (ModifyIndex 42)',
        message: expect.stringContaining(message) as string,
      },
    ]);
  });

  test.each([
    ['host', { Set: { Host: 'evil' } }, 'the host header cannot be modified'],
    [':path', { Add: { ':path': '/x' } }, 'no header field name'],
    ['line breaks', { Set: { 'x-a': 'a\r\nx-b: c' } }, 'control characters'],
  ])('refuse header modifiers with %s', (_what, RequestHeaders, message) => {
    const entry = { ...router({}), Routes: [{ Destination: { RequestHeaders } }] };
    const { problems } = parseConfigEntries('service-router', [entry], undefined);
    expect(problems[0]?.message).toContain(message);
  });

  test('list every fault of an entry, not the first alone', () => {
    const entry = router({ PathExact: 'a', Methods: ['?'], Header: [{ Name: '' }] });
    const { problems } = parseConfigEntries('service-router', [entry], undefined);
    expect(problems[0]?.message.split(';').length).toBeGreaterThanOrEqual(3);
  });

  test('keep the last good form of one that went bad, and take the others', () => {
    const good = parseConfigEntries('service-router', [router({ PathExact: '/old' })], undefined);
    const other = { ...router({ PathExact: '/other' }), Name: 'other' };
    const next = parseConfigEntries(
      'service-router',
      [{ ...router({ PathExact: 'bad' }), ModifyIndex: 43 }, other],
      good,
    );
    expect(next.entries.get('api')).toEqual(good.entries.get('api'));
    expect([...next.entries.keys()]).toEqual(['api', 'other']);
    expect(next.problems[0]).toMatchObject({
      where: 'service-router/api (ModifyIndex 43)',
      message: expect.stringContaining('service-router/api (ModifyIndex 42) stays in force') as string,
    });
    const gone = parseConfigEntries('service-router', [other], next);
    expect([...gone.entries.keys()]).toEqual(['other']);
  });

  test('refuse weights that do not make 100', () => {
    const entry = { Kind: 'service-splitter', Name: 'api', ModifyIndex: 1, Splits: [{ Weight: 60 }, { Weight: 60 }] };
    const { problems } = parseConfigEntries('service-splitter', [entry], undefined);
    expect(problems[0]?.message).toBe('Splits: the weights must add up to 100; it is ignored until it is mended');
  });

  test.each([
    [{ RingHashConfig: { MinimumRingSize: 4096, MaximumRingSize: 64 } }, 'MinimumRingSize is above MaximumRingSize'],
    [
      { RingHashConfig: { MaximumRingSize: 9_000_000 } },
      'LoadBalancer.RingHashConfig.MaximumRingSize: at most 8388608',
    ],
    [{ LeastRequestConfig: { ChoiceCount: 1 } }, 'LoadBalancer.LeastRequestConfig.ChoiceCount: a choice is among 2'],
  ])('refuse what a proxy would refuse: %j', (LoadBalancer, message) => {
    const { problems } = parseConfigEntries(
      'service-resolver',
      [{ Kind: 'service-resolver', Name: 'api', LoadBalancer }],
      undefined,
    );
    expect(problems[0]?.message).toContain(message);
  });

  test('read durations as Go writes them', () => {
    const entry = { Kind: 'service-resolver', Name: 'api', ConnectTimeout: '1m1.5s', RequestTimeout: 250_000_000 };
    const { entries } = parseConfigEntries('service-resolver', [entry], undefined);
    expect(entries.get('api')).toMatchObject({ connectTimeoutMs: 61_500, requestTimeoutMs: 250 });
  });

  test('are in force with a warning for each field that is set and not obeyed', () => {
    const entry = {
      Kind: 'service-resolver',
      Name: 'api',
      ModifyIndex: 3,
      Failover: { '*': { Datacenters: ['dc2'] } },
      PrioritizeByLocality: { Mode: 'failover' },
    };
    const { entries, problems } = parseConfigEntries('service-resolver', [entry], undefined);
    expect(entries.has('api')).toBe(true);
    expect(problems).toEqual([
      {
        severity: 'warning',
        where: 'service-resolver/api (ModifyIndex 3)',
        message:
          'PrioritizeByLocality.Mode: "failover" is not obeyed: preferring near instances needs Consul Enterprise',
      },
    ]);
  });

  test('throw on a body that is no list, so that the watch keeps what it has', () => {
    expect(() => parseConfigEntries('service-router', { error: 'x' }, undefined)).toThrow();
  });
});
