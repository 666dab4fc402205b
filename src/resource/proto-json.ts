import protobuf from 'protobufjs';
import { jsonName } from './json-name.ts';
import { fullNameOf, type MessageType, messageType, messageTypeOfUrl } from './protos.ts';
import { isScalarDefault } from './scalar-json.ts';
import { isPlainObject } from './struct-json.ts';
import { scalarJson, wellKnownJson } from './well-known-json.ts';

/** Message bytes to canonical ProtoJSON, for config dumps. What the strict builder reads back gives the same message. */

type Parts = Readonly<Record<string, unknown>>;

/** The bytes of the message named as ProtoJSON: camelCase keys, defaults left out. Throws on bytes that are no such message. */
export function protoJson(fullName: string, bytes: Uint8Array): unknown {
  const type = messageType(fullName);
  return messageJson(type, decoded(type, bytes));
}

/** An Any as ProtoJSON with `@type`; a type or bytes that cannot be read stay `{'@type', value: base64}`. */
export function anyJson(typeUrl: string, value: Uint8Array): Record<string, unknown> {
  const type = messageTypeOfUrl(typeUrl);
  const content = type && decodedOrUndefined(type, value);
  if (type === undefined || content === undefined) {
    return { '@type': typeUrl, value: Buffer.from(value).toString('base64') };
  }
  const json = messageJson(type, content);
  const ownJson = wellKnownJson(fullNameOf(type)) !== undefined || fullNameOf(type) === 'google.protobuf.Any';
  return ownJson || !isPlainObject(json) ? { '@type': typeUrl, value: json } : { '@type': typeUrl, ...json };
}

function messageJson(type: MessageType, parts: Parts): unknown {
  if (fullNameOf(type) === 'google.protobuf.Any') {
    const { type_url: typeUrl, value } = parts;
    return anyJson(typeof typeUrl === 'string' ? typeUrl : '', value instanceof Uint8Array ? value : new Uint8Array());
  }
  const wellKnown = wellKnownJson(fullNameOf(type));
  if (wellKnown !== undefined) return wellKnown.write(parts);
  const json: Record<string, unknown> = {};
  for (const field of type.fieldsArray) {
    const value = parts[field.name];
    // Own properties only: proto3 defaults sit on the prototype of a decoded message.
    if (!Object.hasOwn(parts, field.name) || value === undefined || value === null) continue;
    const written = fieldJson(field, value);
    if (written !== undefined) json[jsonName(field.name)] = written;
  }
  return json;
}

function fieldJson(field: protobuf.Field, value: unknown): unknown {
  if (field instanceof protobuf.MapField) {
    if (!isPlainObject(value)) return undefined;
    const keys = Object.keys(value).sort();
    if (keys.length === 0) return undefined;
    return Object.fromEntries(keys.map((key) => [key, singleJson(field, value[key])]));
  }
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.map((item) => singleJson(field, item));
  // Where absence and default are the same thing, a default that stood on the wire is not shown either.
  if (field.partOf === null && isScalarDefault(value)) return undefined;
  return singleJson(field, value);
}

function singleJson(field: protobuf.FieldBase, value: unknown): unknown {
  const type = field.resolvedType;
  if (type instanceof protobuf.Type) return messageJson(type, isPlainObject(value) ? value : {});
  if (type instanceof protobuf.Enum) {
    if (fullNameOf(type) === 'google.protobuf.NullValue') return null;
    return typeof value === 'number' ? (type.valuesById[value] ?? value) : value;
  }
  return scalarJson(field.type, value);
}

function decoded(type: MessageType, bytes: Uint8Array): Parts {
  const message: unknown = type.decode(bytes);
  return isPlainObject(message) ? message : {};
}

function decodedOrUndefined(type: MessageType, bytes: Uint8Array): Parts | undefined {
  try {
    return decoded(type, bytes);
  } catch {
    return undefined;
  }
}
