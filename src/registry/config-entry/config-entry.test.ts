import { beforeEach, expect, test } from 'vitest';
import { ChangeIndex } from '../state/change-index.ts';
import { ConfigEntries } from '../state/config-entries.ts';
import { deleteConfigEntry, readConfigEntry, writeConfigEntry } from './config-entry.ts';

let entries: ConfigEntries;

beforeEach(() => {
  entries = new ConfigEntries(new ChangeIndex());
  put({ Kind: 'proxy-defaults', Name: 'global', Config: { protocol: 'http' } });
});

function put(document: unknown, cas?: number): boolean {
  return writeConfigEntry(entries, readConfigEntry(document), cas);
}

test('every spelling of a field is stored under one name, opaque maps untouched, durations as Go prints them', () => {
  put({ kind: 'proxy-defaults', name: 'global', config: { some_key: { nested_key: 1 } } });
  expect(entries.get('proxy-defaults', 'global')?.['Config']).toEqual({ some_key: { nested_key: 1 } });
  put({ Kind: 'service-resolver', Name: 'web', connect_timeout: '5000ms', load_balancer: { policy: 'maglev' } });
  expect(entries.get('service-resolver', 'web')).toMatchObject({
    ConnectTimeout: '5s',
    LoadBalancer: { Policy: 'maglev' },
  });
  const passive = { upstream_config: { defaults: { passive_health_check: { interval: '10s' } } } };
  put({ Kind: 'service-defaults', Name: 'web', Protocol: 'GRPC', ...passive });
  expect(entries.get('service-defaults', 'web')).toMatchObject({
    Protocol: 'grpc',
    UpstreamConfig: { Defaults: { PassiveHealthCheck: { Interval: 10_000_000_000 } } },
  });
});

test.each([
  [{ Name: 'x' }, 'Payload does not contain a kind/Kind key at the top level'],
  [{ Kind: 'gadget', Name: 'x' }, 'invalid config entry kind: gadget'],
  [{ Kind: 'service-router' }, 'Name is required'],
  [{ Kind: 'service-router', Name: 'x', Rotues: [] }, 'invalid config key "Rotues"'],
  [{ Kind: 'service-router', Name: 'x', Routes: 'all' }, 'Routes: expected an array, got string'],
  [{ Kind: 'proxy-defaults', Name: 'mine' }, 'invalid name ("mine"), only "global" is supported'],
  [{ Kind: 'service-defaults', Name: '*' }, 'must be the name of a service, and not a wildcard'],
  [
    { Kind: 'service-splitter', Name: 'x', Splits: [{ Weight: 60 }] },
    'the sum of all split weights must be 100, not 60.000000',
  ],
  [
    { Kind: 'service-router', Name: 'x', Routes: [{ Match: { HTTP: { PathExact: 'a' } } }] },
    `PathExact doesn't start with '/'`,
  ],
  [
    { Kind: 'service-router', Name: 'x', Routes: [{ Destination: { PrefixRewrite: '/' } }] },
    'cannot make use of PrefixRewrite',
  ],
  [{ Kind: 'service-resolver', Name: 'x', DefaultSubset: 'v1' }, 'DefaultSubset "v1" is not a valid subset'],
  [{ Kind: 'service-resolver', Name: 'x', Subsets: { v1: { Filter: 'a =' } } }, 'is not a valid expression'],
  [{ Kind: 'service-resolver', Name: 'x', ConnectTimeout: '-1s' }, `Bad ConnectTimeout '-1s', must be >= 0`],
  [
    { Kind: 'service-resolver', Name: 'x', LoadBalancer: { Policy: 'best' } },
    'Bad LoadBalancer policy: "best" is not supported',
  ],
  [
    { Kind: 'service-intentions', Name: 'x', Sources: [{ Name: 'y' }] },
    `Sources[0].Action must be set to 'allow' or 'deny'`,
  ],
  [
    { Kind: 'service-router', Name: 'x', Routes: [{ Destination: { ServiceSubset: 'v9' } }] },
    'does not have a subset named "v9"',
  ],
])('%j is refused and changes nothing', (document, reason) => {
  const before = entries.count();
  expect(() => put(document)).toThrow(reason);
  expect(entries.count()).toBe(before);
});

test('layer-7 entries need a layer-7 protocol, and the protocol cannot be taken away beneath them', () => {
  put({ Kind: 'service-defaults', Name: 'db', Protocol: 'tcp' });
  const router = { Kind: 'service-router', Name: 'web', Routes: [{ Destination: { Service: 'db' } }] };
  expect(() => put(router)).toThrow('uses inconsistent protocols; service "db" has "tcp" which is not "http"');
  expect(() => put({ ...router, Name: 'db' })).toThrow('does not permit advanced routing or splitting behavior');
  put({ Kind: 'service-router', Name: 'web', Routes: [] });
  expect(() => deleteConfigEntry(entries, 'proxy-defaults', 'global')).toThrow('does not permit advanced routing');
  expect(entries.get('proxy-defaults', 'global')).toBeDefined();
});

test('circles of redirects and of splitters are refused', () => {
  put({ Kind: 'service-resolver', Name: 'a', Redirect: { Service: 'b' } });
  expect(() => put({ Kind: 'service-resolver', Name: 'b', Redirect: { Service: 'a' } })).toThrow(
    'circular resolver redirect',
  );
  put({ Kind: 'service-splitter', Name: 'c', Splits: [{ Weight: 100, Service: 'd' }] });
  expect(() => put({ Kind: 'service-splitter', Name: 'd', Splits: [{ Weight: 100, Service: 'c' }] })).toThrow(
    'circular reference',
  );
});

test('check-and-set writes only over the index it names', () => {
  const entry = { Kind: 'service-defaults', Name: 'web', Protocol: 'http' };
  expect(put(entry, 7)).toBe(false);
  expect(put(entry, 0)).toBe(true);
  expect(put({ ...entry, Protocol: 'grpc' }, 0)).toBe(false);
  const index = entries.get('service-defaults', 'web')?.ModifyIndex;
  expect(put({ ...entry, Protocol: 'grpc' }, index)).toBe(true);
});

test('intentions carry the precedence Consul gives them, strongest first', () => {
  put({
    Kind: 'service-intentions',
    Name: 'web',
    Sources: [
      { Name: '*', Action: 'deny' },
      { Name: 'a', Action: 'allow' },
    ],
  });
  expect(entries.get('service-intentions', 'web')?.['Sources']).toMatchObject([
    { Name: 'a', Precedence: 9 },
    { Name: '*', Precedence: 8 },
  ]);
});
