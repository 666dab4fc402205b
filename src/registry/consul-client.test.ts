import { once } from 'node:events';
import Consul from 'consul';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Registry, startRegistry } from './registry.ts';

/** The client most Node programs use must find nothing amiss. */
let registry: Registry;
let consul: Consul;

beforeEach(async () => {
  registry = await startRegistry({ port: 0 });
  consul = new Consul({ host: registry.address, port: registry.port });
});

afterEach(async () => {
  await registry.stop();
});

test('a service registers, reports its TTL and leaves', async () => {
  await consul.agent.service.register({ name: 'web', port: 80, check: { name: 'alive', ttl: '10s', timeout: '1s' } });
  await consul.agent.check.pass('service:web');
  const health = await consul.health.service({ service: 'web', passing: true });
  expect(health).toHaveLength(1);
  await consul.agent.service.deregister('web');
  expect(await consul.agent.service.list()).toEqual({});
});

test('watch() tells the first state and then each change', async () => {
  const watch = consul.watch({
    method: (options: { service: string }) => consul.health.service(options),
    options: { service: 'web' },
  });
  try {
    const [first] = await once(watch, 'change');
    expect(first).toEqual([]);
    const next = once(watch, 'change');
    await consul.agent.service.register({ name: 'web', port: 80 });
    expect((await next)[0]).toHaveLength(1);
  } finally {
    watch.end();
  }
});

test('keys, sessions, catalog and status answer', async () => {
  await consul.kv.set('a/b', 'value');
  expect((await consul.kv.get('a/b'))?.Value).toBe('value');
  expect(await consul.kv.keys('a')).toEqual(['a/b']);
  await consul.kv.del({ key: 'a', recurse: true });
  expect(await consul.kv.get('a/b')).toBeUndefined();
  expect(await consul.catalog.datacenters()).toEqual(['dc1']);
  expect(await consul.catalog.services()).toEqual({ consul: [] });
  expect(await consul.status.leader()).toBe('127.0.0.1:8300');
});
