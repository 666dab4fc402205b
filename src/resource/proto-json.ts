import protobuf from 'protobufjs';
import { jsonNameOf } from './json-name.ts';
import { fullNameOf, type MessageType, messageType, messageTypeOfUrl } from './protos.ts';
import { isScalarDefault } from './scalar-json.ts';
import { isPlainObject } from './struct-json.ts';
import { scalarJson, wellKnownJson } from './well-known-json.ts';

/** Message bytes to canonical ProtoJSON, for config dumps. What the strict builder reads back gives the same message. */

type Parts = Readonly<Record<string, unknown>>;

/** Anys nested deeper stay bytes: each is decoded on its own, so nothing else bounds a chain of them. */
const MAX_ANY_DEPTH = 16;

/** The bytes of the message named as ProtoJSON: camelCase keys, defaults left out. Throws on bytes that are no such message. */
export function protoJson(fullName: string, bytes: Uint8Array): unknown {
  const type = messageType(fullName);
  return messageJson(type, decoded(type, bytes), 0);
}

/** An Any as ProtoJSON with `@type`; a type or bytes that cannot be read stay `{'@type', value: base64}`. */
export function anyJson(typeUrl: string, value: Uint8Array): Record<string, unknown> {
  return anyJsonAt(typeUrl, value, 0);
}

function anyJsonAt(typeUrl: string, value: Uint8Array, depth: number): Record<string, unknown> {
  const type = depth < MAX_ANY_DEPTH ? messageTypeOfUrl(typeUrl) : undefined;
  const content = type && decodedOrUndefined(type, value);
  if (type === undefined || content === undefined) {
    return { '@type': typeUrl, value: Buffer.from(value).toString('base64') };
  }
  const json = messageJson(type, content, depth + 1);
  const ownJson = wellKnownJson(fullNameOf(type)) !== undefined || fullNameOf(type) === 'google.protobuf.Any';
  return ownJson || !isPlainObject(json) ? { '@type': typeUrl, value: json } : { '@type': typeUrl, ...json };
}

function messageJson(type: MessageType, parts: Parts, depth: number): unknown {
  if (fullNameOf(type) === 'google.protobuf.Any') {
    const { type_url: typeUrl, value } = parts;
    const bytes = value instanceof Uint8Array ? value : new Uint8Array();
    return anyJsonAt(typeof typeUrl === 'string' ? typeUrl : '', bytes, depth);
  }
  const wellKnown = wellKnownJson(fullNameOf(type));
  if (wellKnown !== undefined) return wellKnown.write(parts);
  const json: Record<string, unknown> = {};
  for (const field of type.fieldsArray) {
    const value = parts[field.name];
    // Own properties only: proto3 defaults sit on the prototype of a decoded message.
    if (!Object.hasOwn(parts, field.name) || value === undefined || value === null) continue;
    const written = fieldJson(field, value, depth);
    if (written !== undefined) json[jsonNameOf(field)] = written;
  }
  return json;
}

function fieldJson(field: protobuf.Field, value: unknown, depth: number): unknown {
  if (field instanceof protobuf.MapField) {
    if (!isPlainObject(value)) return undefined;
    const keys = Object.keys(value).sort();
    if (keys.length === 0) return undefined;
    return Object.fromEntries(keys.map((key) => [key, singleJson(field, value[key], depth)]));
  }
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.map((item) => singleJson(field, item, depth));
  // Where absence and default are the same thing, a default that stood on the wire is not shown either.
  if (field.partOf === null && isScalarDefault(value)) return undefined;
  return singleJson(field, value, depth);
}

function singleJson(field: protobuf.FieldBase, value: unknown, depth: number): unknown {
  const type = field.resolvedType;
  if (type instanceof protobuf.Type) return messageJson(type, isPlainObject(value) ? value : {}, depth);
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
