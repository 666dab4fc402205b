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
const OUR_OWN: ReadonlyMap<string, string> = new Map([]);

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
  expect(services.length).toBe(9);
});

test('every field has the name, number, type, label, oneof and map key of the original', () => {
  const differences = messages.flatMap((message) => {
    const original = oracle.lookup(message.fullName, [protobuf.Type]);
    if (!(original instanceof protobuf.Type)) {
      return OUR_OWN.has(fullNameOf(message)) ? [] : [`${fullNameOf(message)}: not in the original`];
    }
    return message.fieldsArray.flatMap((field) => {
      const [mine, theirs] = [fieldText(field), fieldText(original.fields[field.name])];
      return mine === theirs ? [] : [`${fullNameOf(message)}.${field.name}: ${mine}, in the original: ${theirs}`];
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
