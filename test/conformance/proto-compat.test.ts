import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';
import { expect, test } from 'vitest';
import { fullNameOf, protoRoot } from '../../src/resource/protos.ts';

/**
 * Every message, enum and service of proto/ against the full definitions that @grpc/grpc-js-xds ships: what we have must be
 * what they have, by name and number. What we leave out is our choice.
 */

const PROTO_FOLDER = fileURLToPath(new URL('../../proto/', import.meta.url));

/** Messages of proto/ that the oracle does not have, each with the reason. */
const OUR_OWN: ReadonlyMap<string, string> = new Map([
  ['envoy.config.route.v3.RateLimit.Action.QueryParameters', 'younger than the oracle'],
  ['envoy.config.route.v3.RateLimit.HitsAddend', 'younger than the oracle'],
]);

const ROUTE_LIMIT = 'envoy.config.route.v3.RateLimit';
const LIMIT_FILTER = 'envoy.extensions.filters.http.ratelimit.v3';
const LOCAL_LIMIT = 'envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit';
const RUNTIME_PERCENT = 'envoy.config.core.v3.RuntimeFractionalPercent';

/** Fields that are younger than the oracle, or have changed since, as go-control-plane's envoy module 1.37.0 has them. */
const YOUNGER: ReadonlyMap<string, string> = new Map([
  [`${ROUTE_LIMIT}.hits_addend`, `single ${ROUTE_LIMIT}.HitsAddend = 5`],
  [`${ROUTE_LIMIT}.apply_on_stream_done`, 'single bool = 6'],
  [
    `${ROUTE_LIMIT}.Action.query_parameters`,
    `single ${ROUTE_LIMIT}.Action.QueryParameters = 12 in oneof action_specifier`,
  ],
  [`${ROUTE_LIMIT}.Action.GenericKey.default_value`, 'single string = 3'],
  [`${ROUTE_LIMIT}.Action.HeaderValueMatch.default_value`, 'single string = 5'],
  [`${ROUTE_LIMIT}.Action.QueryParameterValueMatch.default_value`, 'single string = 5'],
  ['envoy.extensions.common.ratelimit.v3.RateLimitDescriptor.hits_addend', 'single google.protobuf.UInt64Value = 3'],
  [`${LOCAL_LIMIT}.rate_limits`, `repeated ${ROUTE_LIMIT} = 17 packed`],
  [`${LOCAL_LIMIT}.max_dynamic_descriptors`, 'single google.protobuf.UInt32Value = 18'],
  [`${LIMIT_FILTER}.RateLimit.filter_enabled`, `single ${RUNTIME_PERCENT} = 14`],
  [`${LIMIT_FILTER}.RateLimit.filter_enforced`, `single ${RUNTIME_PERCENT} = 15`],
  [`${LIMIT_FILTER}.RateLimit.failure_mode_deny_percent`, `single ${RUNTIME_PERCENT} = 16`],
  [`${LIMIT_FILTER}.RateLimit.rate_limits`, `repeated ${ROUTE_LIMIT} = 17 packed`],
  [`${LIMIT_FILTER}.RateLimitPerRoute.rate_limits`, `repeated ${ROUTE_LIMIT} = 3 packed`],
]);

function loadOracle(files: readonly string[]): protobuf.Root {
  const require = createRequire(import.meta.url);
  const shipped = path.join(path.dirname(require.resolve('@grpc/grpc-js-xds/package.json')), 'deps');
  const folders = ['envoy-api', 'xds', 'googleapis', 'protoc-gen-validate'].map((name) => path.join(shipped, name));
  // descriptor.proto, which the originals' annotations extend, comes with protobufjs.
  folders.push(path.dirname(require.resolve('protobufjs/package.json')));
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) => {
    if (protobuf.common.get(target) !== null) return target;
    return folders.map((folder) => path.join(folder, target)).find((file) => existsSync(file)) ?? null;
  };
  root.loadSync([...files], { keepCase: true });
  root.resolveAll();
  return root;
}

const ours = protoRoot();
const ownFiles = ours.files
  .filter((file) => file.startsWith(PROTO_FOLDER))
  .map((file) => file.slice(PROTO_FOLDER.length));
const oracle = loadOracle(ownFiles);

function reflectionObjects(namespace: protobuf.NamespaceBase): protobuf.ReflectionObject[] {
  return namespace.nestedArray.flatMap((object) =>
    object instanceof protobuf.Namespace ? [object, ...reflectionObjects(object)] : [object],
  );
}

const all = reflectionObjects(ours).filter((object) => !object.fullName.startsWith('.google.protobuf'));
const messages = all.filter((object) => object instanceof protobuf.Type);
const enums = all.filter((object) => object instanceof protobuf.Enum);
const services = all.filter((object) => object instanceof protobuf.Service);

/** Everything about a field that shows on the wire or in ProtoJSON, as one line to compare. */
function fieldText(field: protobuf.Field | undefined): string {
  if (field === undefined) return 'no such field';
  field.resolve();
  const type = field.resolvedType === null ? field.type : fullNameOf(field.resolvedType);
  const label =
    field instanceof protobuf.MapField ? `map by ${field.keyType} of` : field.repeated ? 'repeated' : 'single';
  const packed = field.repeated && field.packed ? ' packed' : '';
  const optional = field.options?.['proto3_optional'] === true ? ' optional' : '';
  const oneof = field.partOf === null ? '' : ` in oneof ${field.partOf.name}`;
  return `${label} ${type} = ${field.id}${packed}${optional}${oneof}`;
}

test('proto/ holds the messages that the rest of the tests walk', () => {
  expect(messages.length).toBeGreaterThan(300);
  expect(enums.length).toBeGreaterThan(30);
  expect(services.length).toBe(10);
});

test('every field has the name, number, type, label, oneof and map key of the original', () => {
  const differences = messages.flatMap((message) => {
    const original = oracle.lookup(message.fullName, [protobuf.Type]);
    if (!(original instanceof protobuf.Type)) {
      return OUR_OWN.has(fullNameOf(message)) ? [] : [`${fullNameOf(message)}: not in the original`];
    }
    return message.fieldsArray.flatMap((field) => {
      const name = `${fullNameOf(message)}.${field.name}`;
      const [mine, theirs] = [fieldText(field), YOUNGER.get(name) ?? fieldText(original.fields[field.name])];
      return mine === theirs ? [] : [`${name}: ${mine}, in the original: ${theirs}`];
    });
  });
  expect(differences).toEqual([]);
});

test('every enum has all values of the original, with their numbers', () => {
  const differences = enums.flatMap((object) => {
    const original = oracle.lookup(object.fullName, [protobuf.Enum]);
    if (!(original instanceof protobuf.Enum)) return [`${fullNameOf(object)}: not in the original`];
    const [mine, theirs] = [JSON.stringify(object.values), JSON.stringify(original.values)];
    return mine === theirs ? [] : [`${fullNameOf(object)}: ${mine}, in the original: ${theirs}`];
  });
  expect(differences).toEqual([]);
});

test('every file stands where the original stands and has its package', () => {
  const misplaced = all
    .filter((object) => object.parent !== null && !(object.parent instanceof protobuf.Type))
    .filter(
      (object) =>
        object.filename !== null &&
        !(object instanceof protobuf.Namespace && object.constructor === protobuf.Namespace),
    )
    .filter((object) => {
      const original = oracle.lookup(object.fullName);
      const place = object.filename?.slice(PROTO_FOLDER.length) ?? '';
      return original?.filename?.endsWith(`/${place}`) !== true;
    })
    .map(fullNameOf);
  expect(misplaced).toEqual([]);
});

test('every method has the messages and the streaming of the original', () => {
  const methodText = (method: protobuf.Method | undefined): string => {
    if (method === undefined) return 'no such method';
    method.resolve();
    const side = (streams: boolean | undefined, type: protobuf.Type | null): string =>
      `${streams === true ? 'stream ' : ''}${type === null ? '?' : fullNameOf(type)}`;
    return `${side(method.requestStream, method.resolvedRequestType)} → ${side(method.responseStream, method.resolvedResponseType)}`;
  };
  const differences = services.flatMap((service) => {
    const original = oracle.lookupService(service.fullName);
    return service.methodsArray.flatMap((method) => {
      const [mine, theirs] = [methodText(method), methodText(original.methods[method.name])];
      return mine === theirs ? [] : [`${method.fullName}: ${mine}, in the original: ${theirs}`];
    });
  });
  expect(differences).toEqual([]);
});
