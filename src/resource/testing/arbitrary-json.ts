import fc from 'fast-check';
import protobuf from 'protobufjs';
import { jsonName } from '../json-name.ts';
import { fullNameOf, type MessageType, messageType } from '../protos.ts';

/** Any valid ProtoJSON of a message, made from its definition. */
export function arbitraryJson(type: MessageType, depth = 3): fc.Arbitrary<unknown> {
  const own = WELL_KNOWN[fullNameOf(type)];
  if (own !== undefined) return own;
  const fields = type.fieldsArray.filter((field) => depth > 0 || !(field.resolvedType instanceof protobuf.Type));
  // Real messages set few of their fields; a handful also keeps the generated ones small.
  return fc
    .subarray(fields, { maxLength: Math.min(fields.length, MAX_FIELDS) })
    .map((chosen) => chosen.filter((field, index) => !hasRivalBefore(field, chosen.slice(0, index))))
    .chain((chosen) => {
      const members = chosen.map((field): [string, fc.Arbitrary<unknown>] => [
        jsonName(field.name),
        arbitraryField(field, depth),
      ]);
      return fc.record(Object.fromEntries(members));
    });
}

const MAX_FIELDS = 8;

/** Of each oneof only one member may be set. */
function hasRivalBefore(field: protobuf.Field, before: readonly protobuf.Field[]): boolean {
  return field.partOf !== null && before.some((other) => other.partOf === field.partOf);
}

const seconds = fc.integer({ min: -100_000, max: 100_000 });
const plainJson = fc.jsonValue({ maxDepth: 2 }).map((json) => JSON.parse(JSON.stringify(json)) as unknown);
const name = fc.constantFrom('', 'a', 'b', 'weft', 'x-header', '10.0.0.1', '*', '/path', 'ünï');

const WELL_KNOWN: Readonly<Record<string, fc.Arbitrary<unknown> | undefined>> = {
  'google.protobuf.Duration': fc
    .tuple(seconds, fc.constantFrom('', '.5', '.25', '.000000001'))
    .map((parts) => `${parts.join('')}s`),
  'google.protobuf.Timestamp': fc
    .integer({ min: 0, max: 4_000_000_000 })
    .map((second) => new Date(second * 1000).toISOString().replace('.000', '')),
  'google.protobuf.Struct': fc.dictionary(name, plainJson, { maxKeys: 2, noNullPrototype: true }),
  'google.protobuf.Value': plainJson,
  'google.protobuf.ListValue': fc.array(plainJson, { maxLength: 2 }),
  'google.protobuf.Any': fc
    .constantFrom(
      'envoy.extensions.filters.http.router.v3.Router',
      'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
      'envoy.extensions.filters.http.rbac.v3.RBAC',
      'envoy.extensions.load_balancing_policies.ring_hash.v3.RingHash',
      'envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
    )
    .chain((fullName) =>
      arbitraryJson(messageType(fullName), 1).map((json) => ({
        '@type': `type.googleapis.com/${fullName}`,
        ...(json as Readonly<Record<string, unknown>>),
      })),
    ),
  'google.protobuf.StringValue': name,
  'google.protobuf.BytesValue': scalar('bytes'),
  'google.protobuf.BoolValue': fc.boolean(),
  'google.protobuf.FloatValue': scalar('float'),
  'google.protobuf.DoubleValue': scalar('double'),
  'google.protobuf.Int32Value': scalar('int32'),
  'google.protobuf.UInt32Value': scalar('uint32'),
  'google.protobuf.Int64Value': scalar('int64'),
  'google.protobuf.UInt64Value': scalar('uint64'),
};

function arbitraryField(field: protobuf.Field, depth: number): fc.Arbitrary<unknown> {
  const single = arbitrarySingle(field, depth);
  if (field instanceof protobuf.MapField) return fc.dictionary(name, single, { maxKeys: 2, noNullPrototype: true });
  return field.repeated ? fc.array(single, { maxLength: 2 }) : single;
}

function arbitrarySingle(field: protobuf.Field, depth: number): fc.Arbitrary<unknown> {
  const type = field.resolvedType;
  if (type instanceof protobuf.Enum) return fc.constantFrom(...Object.keys(type.values));
  if (type instanceof protobuf.Type) return arbitraryJson(type, depth - 1);
  return scalar(field.type);
}

function scalar(protoType: string): fc.Arbitrary<unknown> {
  switch (protoType) {
    case 'string':
      return name;
    case 'bool':
      return fc.boolean();
    case 'bytes':
      return fc.uint8Array({ maxLength: 5 }).map((bytes) => Buffer.from(bytes).toString('base64'));
    case 'float':
      return fc.float({ noNaN: true, noDefaultInfinity: true });
    case 'double':
      return fc.double({ noNaN: true, noDefaultInfinity: true });
    case 'int64':
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String);
    case 'uint64':
      return fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String);
    case 'uint32':
      return fc.oneof(fc.nat(3), fc.integer({ min: 0, max: 2 ** 32 - 1 }));
    default:
      return fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
  }
}
