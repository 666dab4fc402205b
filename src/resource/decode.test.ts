import { expect, test } from 'vitest';
import { decodeStaticJson, resourceName, sameBytes } from './resource.ts';
import { buildMessage } from './strict-builder.ts';
import { cluster, type Json, typed } from './testing/valid-resources.ts';
import { CLUSTER_TYPE } from './type-url.ts';

test('a resource is named even where it will be refused', () => {
  const named = buildMessage('envoy.config.cluster.v3.Cluster', { name: 'web', type: 'STATIC' });
  const unnamed = buildMessage('envoy.config.cluster.v3.Cluster', {});
  expect(named.ok && resourceName(CLUSTER_TYPE, named.value)).toBe('web');
  expect(unnamed.ok && resourceName(CLUSTER_TYPE, unnamed.value)).toBeUndefined();
  expect(resourceName(CLUSTER_TYPE, new Uint8Array([255]))).toBeUndefined();
  expect(resourceName('type.googleapis.com/nobody.Knows', new Uint8Array())).toBeUndefined();
});

test('equality is of bytes', () => {
  expect(sameBytes(new Uint8Array([1, 2]), Buffer.from([1, 2]))).toBe(true);
  expect(sameBytes(new Uint8Array([1, 2]), new Uint8Array([1, 3]))).toBe(false);
});

test('extensions nested in each other without end are a fault and not a crash', () => {
  let inner: Json = typed('envoy.extensions.load_balancing_policies.random.v3.Random');
  for (let depth = 0; depth < 30; depth += 1) {
    const policies = [{ typedExtensionConfig: { name: 'wrr', typedConfig: inner } }];
    inner = typed('envoy.extensions.load_balancing_policies.wrr_locality.v3.WrrLocality', {
      endpointPickingPolicy: { policies },
    });
  }
  const json = cluster({
    loadBalancingPolicy: { policies: [{ typedExtensionConfig: { name: 'wrr', typedConfig: inner } }] },
  });
  expect(decodeStaticJson(CLUSTER_TYPE, json).ok).toBe(false);
});
