import { expect, test } from 'vitest';
import type { Decoded } from './fault.ts';
import { anyJson, protoJson } from './proto-json.ts';
import { decodeToObject, messageType } from './protos.ts';
import { buildAny, buildMessage } from './strict-builder.ts';

const CLUSTER = 'envoy.config.cluster.v3.Cluster';
const ROUTE = 'envoy.config.route.v3.Route';

function built(fullName: string, json: unknown): Uint8Array {
  const result = buildMessage(fullName, json);
  if (!result.ok) throw new Error(JSON.stringify(result.faults));
  return result.value;
}

function faultFields(result: Decoded<unknown>): string[] {
  return result.ok ? [] : result.faults.map((fault) => fault.field);
}

function faultMessages(result: Decoded<unknown>): string {
  return result.ok ? '' : result.faults.map((fault) => fault.message).join('\n');
}

test('durations, wrappers, enums, structs and nested Anys are read from their canonical JSON', () => {
  const bytes = built(CLUSTER, {
    name: 'web',
    connectTimeout: '0.25s',
    type: 'EDS',
    perConnectionBufferLimitBytes: 32768,
    metadata: { filterMetadata: { weft: { entry: 'service-router/web', list: [1, null, true] } } },
    typedExtensionProtocolOptions: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
        explicitHttpConfig: { http2ProtocolOptions: { maxConcurrentStreams: 100 } },
      },
    },
  });
  expect(decodeToObject(messageType(CLUSTER), bytes)).toMatchObject({
    name: 'web',
    connect_timeout: { seconds: '0', nanos: 250_000_000 },
    type: 'EDS',
    per_connection_buffer_limit_bytes: { value: 32768 },
  });
  expect(protoJson(CLUSTER, bytes)).toMatchObject({
    connectTimeout: '0.250s',
    metadata: { filterMetadata: { weft: { entry: 'service-router/web', list: [1, null, true] } } },
    typedExtensionProtocolOptions: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
        explicitHttpConfig: { http2ProtocolOptions: { maxConcurrentStreams: 100 } },
      },
    },
  });
});

test('snake_case keys mean the same bytes as camelCase ones', () => {
  expect(built(CLUSTER, { name: 'a', connect_timeout: '1s', lb_policy: 'RING_HASH' })).toEqual(
    built(CLUSTER, { lbPolicy: 'RING_HASH', connectTimeout: '1s', name: 'a' }),
  );
});

test('equal content gives equal bytes, whatever the order of keys in maps and structs', () => {
  const one = { metadata: { filterMetadata: { a: { x: 1, y: 2 }, b: {} } } };
  const two = { metadata: { filterMetadata: { b: {}, a: { y: 2, x: 1 } } } };
  expect(built(CLUSTER, one)).toEqual(built(CLUSTER, two));
});

test('every mistake is listed with its path, not the first alone', () => {
  const result = buildMessage(CLUSTER, {
    name: 7,
    conect_timeout: '1s',
    connectTimeout: 5,
    lbPolicy: 'FASTEST',
    healthChecks: [{ timeout: '1s' }, { httpHealthCheck: { path: '/', expectedStatuses: {} } }],
    transportSocket: { name: 'tls', typedConfig: { '@type': 'type.googleapis.com/nobody.Knows' } },
    circuitBreakers: { thresholds: [{ maxRequests: -1 }, { maxRequests: 1.5 }] },
  });
  expect(faultFields(result)).toEqual([
    'name',
    'conect_timeout',
    'connect_timeout',
    'lb_policy',
    'health_checks[1].http_health_check.expected_statuses',
    'transport_socket.typed_config.@type',
    'circuit_breakers.thresholds[0].max_requests',
    'circuit_breakers.thresholds[1].max_requests',
  ]);
  expect(faultMessages(result)).toContain('did you mean connect_timeout?');
  expect(faultMessages(result)).toContain('ROUND_ROBIN');
});

test('two members of a oneof, and a field given twice, are refused', () => {
  expect(faultFields(buildMessage(ROUTE, { route: { cluster: 'a' }, redirect: { hostRedirect: 'b' } }))).toEqual([
    'redirect',
  ]);
  expect(faultFields(buildMessage(CLUSTER, { lbPolicy: 'RANDOM', lb_policy: 'RANDOM' }))).toContain('lb_policy');
});

test('null means absent, and a oneof member that holds its default is kept', () => {
  expect(built(ROUTE, { match: null, name: '' })).toHaveLength(0);
  const empty = built('envoy.config.route.v3.RouteMatch', { prefix: '' });
  expect(protoJson('envoy.config.route.v3.RouteMatch', empty)).toEqual({ prefix: '' });
});

test('64-bit integers keep their value beyond 2^53 and refuse to lose it', () => {
  const range = 'envoy.type.v3.Int64Range';
  const bytes = built(range, { start: '-9223372036854775808', end: '9007199254740993' });
  expect(protoJson(range, bytes)).toEqual({ start: '-9223372036854775808', end: '9007199254740993' });
  expect(faultFields(buildMessage(range, { start: 2 ** 60, end: '9223372036854775808' }))).toEqual(['start', 'end']);
});

test.each([
  ['5', 'no unit'],
  ['5ms', 'another unit'],
  ['1.0000000001s', 'ten decimals'],
  ['1e3s', 'an exponent'],
  ['315576000001s', 'more than ten thousand years'],
])('a duration of %s is refused: %s', (connectTimeout) => {
  expect(faultFields(buildMessage(CLUSTER, { connectTimeout }))).toEqual(['connect_timeout']);
});

test('a lone surrogate, which UTF-8 cannot carry, is refused', () => {
  expect(faultFields(buildMessage(CLUSTER, { name: '\ud800' }))).toEqual(['name']);
});

test('nesting without end is a fault and not a crash', () => {
  let permission: unknown = { any: true };
  for (let depth = 0; depth < 5000; depth += 1) permission = { notRule: permission };
  expect(faultMessages(buildMessage('envoy.config.rbac.v3.Permission', permission))).toContain('nests deeper');
  let value: unknown = 1;
  for (let depth = 0; depth < 5000; depth += 1) value = [value];
  expect(faultFields(buildMessage(CLUSTER, { metadata: { filterMetadata: { a: { value } } } }))).toHaveLength(1);
});

test('an Any is built from its @type, and one of a type with JSON of its own from value', () => {
  const any = buildAny({ '@type': 'type.googleapis.com/google.protobuf.StringValue', value: 'x' });
  expect(any).toEqual({
    ok: true,
    value: { typeUrl: 'type.googleapis.com/google.protobuf.StringValue', value: Buffer.from([10, 1, 120]) },
  });
  expect(faultFields(buildAny({ name: 'x' }))).toEqual(['(resource)']);
});

test('an Any that cannot be read is shown as its bytes', () => {
  expect(anyJson('type.googleapis.com/nobody.Knows', Buffer.from('hi'))).toEqual({
    '@type': 'type.googleapis.com/nobody.Knows',
    value: 'aGk=',
  });
});

test('a bare value stands for a list only where the caller accepts it', () => {
  const json = { grpcServices: { envoyGrpc: { clusterName: 'agent' } } };
  expect(faultFields(buildMessage('envoy.config.core.v3.ApiConfigSource', json))).toEqual(['grpc_services']);
  expect(buildMessage('envoy.config.core.v3.ApiConfigSource', json, { acceptSingleForList: true }).ok).toBe(true);
});

test('a chain of Anys is shown to a depth and stays bytes below it', () => {
  let bytes = Buffer.from(built('google.protobuf.StringValue', 'end'));
  let typeUrl = 'type.googleapis.com/google.protobuf.StringValue';
  for (let depth = 0; depth < 5000; depth += 1) {
    const any = messageType('google.protobuf.Any').encode({ type_url: typeUrl, value: bytes }).finish();
    bytes = Buffer.from(any);
    typeUrl = 'type.googleapis.com/google.protobuf.Any';
  }
  const text = JSON.stringify(anyJson(typeUrl, bytes));
  expect(text.split('@type').length - 1).toBe(17);
});
