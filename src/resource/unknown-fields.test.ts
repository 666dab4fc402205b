import protobuf from 'protobufjs';
import { expect, test } from 'vitest';
import { typeUrlOf } from './protos.ts';
import { buildMessage } from './strict-builder.ts';
import { cluster, listener, routeConfiguration } from './testing/valid-resources.ts';
import { unknownFields } from './unknown-fields.ts';

const CLUSTER = 'envoy.config.cluster.v3.Cluster';
const LISTENER = 'envoy.config.listener.v3.Listener';

function built(fullName: string, json: unknown): Uint8Array {
  const message = buildMessage(fullName, json);
  if (!message.ok) throw new Error(JSON.stringify(message.faults));
  return message.value;
}

/** Field 7777, a string. */
const NEWER = protobuf.Writer.create()
  .uint32((7777 << 3) | 2)
  .string('newer than we are')
  .finish();

function withField(outer: number, inner: Uint8Array): Uint8Array {
  return protobuf.Writer.create()
    .uint32((outer << 3) | 2)
    .bytes(inner)
    .finish();
}

test('a resource of what we know has none', () => {
  expect(unknownFields(typeUrlOf(CLUSTER), built(CLUSTER, cluster()))).toEqual([]);
  expect(unknownFields(typeUrlOf(LISTENER), built(LISTENER, listener()))).toEqual([]);
  const routes = 'envoy.config.route.v3.RouteConfiguration';
  expect(unknownFields(typeUrlOf(routes), built(routes, routeConfiguration()))).toEqual([]);
});

test('one of a newer control plane is named by its path', () => {
  expect(unknownFields(typeUrlOf(CLUSTER), NEWER)).toEqual(['#7777']);
  // Listener.filter_chains = 3.
  expect(unknownFields(typeUrlOf(LISTENER), withField(3, NEWER))).toEqual(['filter_chains.#7777']);
  // Cluster.typed_extension_protocol_options = 36, a map of Any.
  const any = protobuf.Writer.create()
    .uint32((1 << 3) | 2)
    .string('type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions')
    .uint32((2 << 3) | 2)
    .bytes(NEWER)
    .finish();
  const entry = withField(2, any);
  expect(unknownFields(typeUrlOf(CLUSTER), withField(36, entry))).toEqual(['typed_extension_protocol_options.#7777']);
});

test('a flood of them is named in part, and bytes that are no message not at all', () => {
  const writer = protobuf.Writer.create();
  for (let field = 10_000; field < 11_000; field++) writer.uint32(field << 3).uint32(1);
  expect(unknownFields(typeUrlOf(CLUSTER), writer.finish())).toHaveLength(20);
  expect(unknownFields(typeUrlOf(CLUSTER), new Uint8Array([0xff, 0xff, 0xff]))).toEqual([]);
});
