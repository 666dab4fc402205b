import { globSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { AGGREGATED_DISCOVERY_SERVICE, grpcService } from './grpc-service.ts';
import {
  decodeToObject,
  encodeFromObject,
  findMessageType,
  messageType,
  messageTypeOfUrl,
  protoRoot,
} from './protos.ts';

test('every file under proto/ is reached from the table of root files', () => {
  const folder = fileURLToPath(new URL('../../proto/', import.meta.url));
  const onDisk = globSync('**/*.proto', { cwd: folder }).map((file) => folder + file);
  const loaded = new Set(protoRoot().files);
  expect(onDisk.filter((file) => !loaded.has(file))).toEqual([]);
});

test('a discovery request survives encode and decode, its resources untouched', () => {
  const type = messageType('envoy.service.discovery.v3.DiscoveryResponse');
  const resource = { type_url: 'type.googleapis.com/nobody.knows.This', value: Buffer.from([1, 2, 3]) };
  const decoded = decodeToObject(
    type,
    encodeFromObject(type, { version_info: '7', nonce: 'n', resources: [resource] }),
  );
  expect(decoded).toMatchObject({ version_info: '7', nonce: 'n', type_url: '', resources: [resource] });
});

test('only a full name finds a message', () => {
  expect(findMessageType('envoy.config.core.v3.Node')?.name).toBe('Node');
  expect(findMessageType('Node')).toBeUndefined();
  expect(findMessageType('envoy.config.core.v3')).toBeUndefined();
  expect(findMessageType('')).toBeUndefined();
  expect(messageTypeOfUrl('envoy.config.core.v3.Node')).toBeUndefined();
  expect(messageTypeOfUrl('type.googleapis.com/envoy.config.core.v3.Node')?.name).toBe('Node');
});

test('service definitions carry the paths of the wire and pass encoded bytes through', () => {
  const ads = grpcService(AGGREGATED_DISCOVERY_SERVICE);
  const delta = ads['DeltaAggregatedResources'];
  expect(delta?.path).toBe('/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources');
  expect([delta?.requestStream, delta?.responseStream]).toEqual([true, true]);
  const bytes = Buffer.from([0x1a, 1, 120]);
  expect(delta?.requestSerialize(bytes)).toBe(bytes);
  expect(delta?.requestDeserialize(bytes)).toMatchObject({ resource_names_subscribe: ['x'] });
});
