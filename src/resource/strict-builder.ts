import protobuf from 'protobufjs';
import { type Decoded, FaultCollector } from './fault.ts';
import { fieldByJsonName } from './json-name.ts';
import { fullNameOf, type MessageType, messageType, messageTypeOfUrl } from './protos.ts';
import { describeJson, isScalarDefault, parseScalar } from './scalar-json.ts';
import { isPlainObject } from './struct-json.ts';
import { wellKnownJson } from './well-known-json.ts';

/**
 * Canonical ProtoJSON to message bytes, strictly: a field, enum value or `@type` that `proto/` does not have, a value of
 * the wrong type, or two members of one oneof is a fault, and every fault is listed with its field path. Keys may be
 * camelCase or as in the proto. Equal input gives equal bytes.
 */

export interface BuildOptions {
  /**
   * Take a bare value where a list is wanted, as the JSON reader of Envoy's C++ does; bootstraps in the wild rely on it.
   */
  readonly acceptSingleForList?: boolean;
}

/** An Any: its type URL and the message's bytes. */
export interface BuiltAny {
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

type Json = Readonly<Record<string, unknown>>;

/** Messages nested deeper than this are refused; protobuf decoders draw the line at 100. */
const MAX_DEPTH = 90;

/** ProtoJSON to the bytes of the message named (`envoy.config.cluster.v3.Cluster`). */
export function buildMessage(fullName: string, json: unknown, options: BuildOptions = {}): Decoded<Uint8Array> {
  const builder = new Builder(options);
  return builder.encode(messageType(fullName), builder.message(messageType(fullName), json, '', 0));
}

/** ProtoJSON with `@type` to an Any. */
export function buildAny(json: unknown, options: BuildOptions = {}): Decoded<BuiltAny> {
  const builder = new Builder(options);
  const any = builder.any(json, '', 0);
  const value = builder.faults.decoded(any);
  if (!value.ok) return value;
  return { ok: true, value: { typeUrl: any.type_url, value: any.value } };
}

/** A builder for one resource: it walks JSON and definition side by side and collects faults. */
class Builder {
  readonly faults = new FaultCollector();
  readonly #options: BuildOptions;

  constructor(options: BuildOptions) {
    this.#options = options;
  }

  encode(type: MessageType, parts: Json): Decoded<Uint8Array> {
    return this.faults.decoded(this.#bytes(type, parts, ''));
  }

  /** Nothing is encoded once something is wrong: the parts may lack what the encoder needs. */
  #bytes(type: MessageType, parts: Json, path: string): Uint8Array {
    if (!this.faults.isEmpty) return new Uint8Array();
    try {
      return type.encode(parts).finish();
    } catch (error) {
      this.faults.add(path, `cannot be encoded: ${error instanceof Error ? error.message : String(error)}`);
      return new Uint8Array();
    }
  }

  /** The parts of a message in the shape the encoder takes. */
  message(type: MessageType, json: unknown, path: string, depth: number): Json {
    const parts: Record<string, unknown> = {};
    if (depth > MAX_DEPTH) {
      this.faults.add(path, `nests deeper than ${MAX_DEPTH} messages`);
      return parts;
    }
    if (fullNameOf(type) === 'google.protobuf.Any') return this.any(json, path, depth);
    const wellKnown = wellKnownJson(fullNameOf(type));
    if (wellKnown !== undefined) {
      const parsed = wellKnown.parse(json);
      if (parsed.ok) return parsed.value;
      this.faults.add(path, parsed.message);
      return parts;
    }
    if (!isPlainObject(json)) {
      this.faults.add(path, `must be an object (${fullNameOf(type)}), not ${describeJson(json)}`);
      return parts;
    }
    this.#fields(type, json, path, depth, parts);
    return parts;
  }

  /** An Any from `{'@type': …}`: the message's own fields beside it, or `value` where its JSON is no object of fields. */
  any(json: unknown, path: string, depth: number): { readonly type_url: string; readonly value: Uint8Array } {
    const nothing = { type_url: '', value: new Uint8Array() };
    if (!isPlainObject(json) || typeof json['@type'] !== 'string') {
      this.faults.add(path, `must be an object with '@type', not ${describeJson(json)}`);
      return nothing;
    }
    const typeUrl = json['@type'];
    const type = messageTypeOfUrl(typeUrl);
    if (type === undefined) {
      this.faults.add(join(path, '@type'), `${describeJson(typeUrl)} is not a type this version knows`);
      return nothing;
    }
    const { '@type': _typeUrl, ...rest } = json;
    const parts = this.message(type, anyContent(type, rest), path, depth + 1);
    return { type_url: typeUrl, value: this.#bytes(type, parts, path) };
  }

  #fields(type: MessageType, json: Json, path: string, depth: number, parts: Record<string, unknown>): void {
    for (const key of Object.keys(json)) {
      const field = fieldByJsonName(type, key);
      if (field === undefined) {
        this.faults.add(join(path, key), `${fullNameOf(type)} has no such field${suggestion(type, key)}`);
        continue;
      }
      const value = json[key];
      // null means absent, except where a Value is wanted, whose JSON it is; undefined never was in a file.
      if (value === undefined || (value === null && field.type !== 'google.protobuf.Value')) continue;
      const at = join(path, field.name);
      if (Object.hasOwn(parts, field.name)) this.faults.add(at, 'is given twice, in camelCase and in snake_case');
      this.#oneof(field, parts, at);
      const built = this.#field(field, value, at, depth);
      if (built !== undefined) parts[field.name] = built;
    }
  }

  #oneof(field: protobuf.Field, parts: Json, at: string): void {
    if (!isRealOneof(field)) return;
    const other = field.partOf?.fieldsArray.find((member) => member !== field && Object.hasOwn(parts, member.name));
    if (other !== undefined)
      this.faults.add(at, `excludes ${other.name}: only one of ${field.partOf?.name} may be set`);
  }

  #field(field: protobuf.Field, json: unknown, at: string, depth: number): unknown {
    if (field instanceof protobuf.MapField) return this.#map(field, json, at, depth);
    if (!field.repeated) {
      const value = this.#single(field, json, at, depth);
      // proto3 leaves defaults off the wire where absence and default are the same thing.
      return field.partOf === null && isScalarDefault(value) ? undefined : value;
    }
    if (Array.isArray(json)) return json.map((item, index) => this.#single(field, item, `${at}[${index}]`, depth));
    if (this.#options.acceptSingleForList === true) return [this.#single(field, json, at, depth)];
    this.faults.add(at, `must be a list, not ${describeJson(json)}`);
    return undefined;
  }

  #map(field: protobuf.MapField, json: unknown, at: string, depth: number): unknown {
    if (!isPlainObject(json)) {
      this.faults.add(at, `must be an object (a map by key), not ${describeJson(json)}`);
      return undefined;
    }
    const entries: Record<string, unknown> = Object.create(null);
    for (const key of Object.keys(json).sort()) {
      const parsedKey =
        field.keyType === 'string' ? undefined : parseScalar(field.keyType, keyJson(field.keyType, key));
      if (parsedKey?.ok === false) this.faults.add(`${at}[${key}]`, `key ${parsedKey.message}`);
      entries[key] = this.#single(field, json[key], `${at}[${key}]`, depth);
    }
    return entries;
  }

  #single(field: protobuf.FieldBase, json: unknown, at: string, depth: number): unknown {
    const type = field.resolvedType;
    if (type instanceof protobuf.Type) return this.message(type, json, at, depth + 1);
    if (type instanceof protobuf.Enum) return this.#enum(type, json, at);
    const scalar = parseScalar(field.type, json);
    if (scalar.ok) return scalar.value;
    this.faults.add(at, scalar.message);
    return undefined;
  }

  #enum(type: protobuf.Enum, json: unknown, at: string): number | undefined {
    if (fullNameOf(type) === 'google.protobuf.NullValue' && json === null) return 0;
    if (typeof json === 'string' && Object.hasOwn(type.values, json)) return type.values[json];
    if (typeof json === 'number' && Object.hasOwn(type.valuesById, json)) return json;
    const known = Object.keys(type.values).join(', ');
    this.faults.add(at, `${describeJson(json)} is not a value of ${fullNameOf(type)}; it has ${known}`);
    return undefined;
  }
}

/** What stands for the message inside an Any's JSON: types with JSON of their own keep it under `value`. */
function anyContent(type: MessageType, rest: Json): unknown {
  const ownJson = wellKnownJson(fullNameOf(type)) !== undefined || fullNameOf(type) === 'google.protobuf.Any';
  return ownJson ? rest['value'] : rest;
}

/** A oneof that the file's author wrote, and not the one that `optional` makes. */
function isRealOneof(field: protobuf.Field): boolean {
  return field.partOf !== null && field.options?.['proto3_optional'] !== true;
}

/** Map keys are always strings in JSON; booleans are spelt out. */
function keyJson(keyType: string, key: string): unknown {
  if (keyType === 'bool' && (key === 'true' || key === 'false')) return key === 'true';
  return key;
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}

/** Names the one field that differs from the key in case, underscores or a letter or two. */
function suggestion(type: MessageType, key: string): string {
  const plain = (name: string): string => name.replaceAll('_', '').toLowerCase();
  const wanted = plain(key);
  const near = type.fieldsArray.find((field) => isNear(plain(field.name), wanted));
  return near === undefined ? '' : `; did you mean ${near.name}?`;
}

/** One letter changed, added or left out. */
function isNear(left: string, right: string): boolean {
  if (Math.abs(left.length - right.length) > 1) return false;
  let start = 0;
  while (start < left.length && left[start] === right[start]) start += 1;
  let end = 0;
  const most = Math.min(left.length, right.length) - start;
  while (end < most && left[left.length - 1 - end] === right[right.length - 1 - end]) end += 1;
  return Math.max(left.length, right.length) - start - end <= 1;
}
