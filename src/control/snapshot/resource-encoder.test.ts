import { expect, test } from 'vitest';
import { protoJson } from '../../resource/proto-json.ts';
import { CLUSTER_TYPE } from '../../resource/type-url.ts';
import { ResourceEncoder } from './resource-encoder.ts';
import type { ResourceLiteral } from './resource-literal.ts';

const cluster = (name: string): ResourceLiteral => ({ typeUrl: CLUSTER_TYPE, name, json: { name, type: 'STATIC' } });

test('equal content is encoded once, and shared as a literal too', () => {
  const encoder = new ResourceEncoder();
  const [first, second] = [cluster('web'), cluster('web')];
  expect(encoder.share(second)).toBe(encoder.share(first));
  const encoded = [first, second].map((literal) => encoder.encode(literal));
  expect(encoded[0]).toEqual(encoded[1]);
  expect(encoder.counters).toMatchObject({ encoded: 1, refused: 0 });
});

test('a faulty literal stays itself and is never kept', () => {
  const encoder = new ResourceEncoder();
  const faulty = { ...cluster('web'), json: { name: 'web', nosuch: 1 } };
  expect(encoder.share(faulty)).toBe(faulty);
  expect(encoder.encode(faulty)).toMatchObject({ ok: false });
});

test('terms of all resources: a time to live, and loads that are reported here', () => {
  const encoded = new ResourceEncoder({ ttlMs: 60_000, reportsLoads: true }).encode(cluster('web'));
  if (!encoded.ok) throw new Error(encoded.message);
  expect(encoded.resource.ttlMs).toBe(60_000);
  const message = encoded.resource.any.subarray(encoded.resource.any.indexOf(0x12, CLUSTER_TYPE.length) + 2);
  expect(protoJson('envoy.config.cluster.v3.Cluster', message)).toMatchObject({ lrsServer: { self: {} } });
});
