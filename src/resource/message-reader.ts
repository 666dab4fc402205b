import protobuf from 'protobufjs';
import { durationMs } from './duration-json.ts';
import type { FaultCollector } from './fault.ts';
import { fullNameOf, type MessageType, messageTypeOfUrl } from './protos.ts';
import { isScalarDefault } from './scalar-json.ts';
import { isPlainObject, jsonFromStruct } from './struct-json.ts';
import { secondsAndNanos } from './well-known-json.ts';
import { wireInteger } from './wire-integer.ts';

type Parts = Readonly<Record<string, unknown>>;

/** Each Any is decoded on its own, so the bound on nesting inside one does not bound a chain of them. */
const MAX_ANY_DEPTH = 16;

/**
 * Reads one decoded message, field by field, into plain values; what is wrong goes to the fault list under the field's
 * path, and reading goes on with a stand-in. Asking for a field that `proto/` lacks is a mistake in the program and throws.
 */
export class MessageReader {
  /** Field path from the resource down to this message, empty for the resource itself. */
  readonly path: string;
  readonly faults: FaultCollector;
  readonly #type: MessageType;
  readonly #parts: Parts;
  /** How many Anys were opened on the way here. */
  readonly #anyDepth: number;

  constructor(type: MessageType, parts: Parts, path: string, faults: FaultCollector, anyDepth = 0) {
    this.#type = type;
    this.#parts = parts;
    this.path = path;
    this.faults = faults;
    this.#anyDepth = anyDepth;
  }

  /** A reader over bytes; bytes that are no such message are a fault. */
  static over(
    type: MessageType,
    bytes: Uint8Array,
    path: string,
    faults: FaultCollector,
    anyDepth = 0,
  ): MessageReader | undefined {
    try {
      const message: unknown = type.decode(bytes);
      return new MessageReader(type, isPlainObject(message) ? message : {}, path, faults, anyDepth);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      faults.add(path, `the bytes are not a ${fullNameOf(type)}: ${why}`);
      return undefined;
    }
  }

  /** Full name of the message's type. */
  get typeName(): string {
    return fullNameOf(this.#type);
  }

  /** Field path of a field. */
  at(name: string): string {
    return this.path === '' ? name : `${this.path}.${name}`;
  }

  /** Notes that a field is wrong; the empty name means the message as a whole. */
  fault(name: string, message: string): void {
    this.faults.add(name === '' ? this.path : this.at(name), message);
  }

  /** Refuses fields that change what the resource means and that Weft does not obey. */
  refuse(...names: readonly string[]): void {
    for (const name of names) if (this.has(name)) this.fault(name, 'is not supported; remove it');
  }

  /** True where a field is set: present, not empty, and for plain scalars not the default. */
  has(name: string): boolean {
    const field = this.#field(name);
    const value = this.#value(name);
    if (value === undefined) return false;
    if (Array.isArray(value)) return value.length > 0;
    if (field instanceof protobuf.MapField) return isPlainObject(value) && Object.keys(value).length > 0;
    return field.partOf !== null || field.resolvedType instanceof protobuf.Type || !isScalarDefault(value);
  }

  /** Name of the member of a oneof that is set. */
  oneof(name: string): string | undefined {
    const oneof = this.#type.oneofs[name];
    if (oneof === undefined) throw new Error(`${this.typeName} has no oneof ${name}`);
    return oneof.fieldsArray.find((member) => this.#value(member.name) !== undefined)?.name;
  }

  string(name: string): string {
    const value = this.#value(name);
    return typeof value === 'string' ? value : '';
  }

  /** A string that must not be empty. */
  requiredString(name: string): string {
    const value = this.string(name);
    if (value === '') this.fault(name, 'must not be empty');
    return value;
  }

  strings(name: string): readonly string[] {
    return this.#list(name).filter((item) => typeof item === 'string');
  }

  boolean(name: string): boolean {
    return this.#value(name) === true;
  }

  bytes(name: string): Uint8Array {
    const value = this.#value(name);
    // A copy: the decoder's bytes are a window on the whole response, which would live and be cloned with them.
    return value instanceof Uint8Array ? new Uint8Array(value) : new Uint8Array();
  }

  /** A number of any proto type; 64-bit integers beyond 2^53 are a fault. */
  number(name: string): number {
    return this.#number(name, this.#field(name).type, this.#value(name));
  }

  numbers(name: string): readonly number[] {
    const { type } = this.#field(name);
    return this.#list(name).map((item) => this.#number(name, type, item));
  }

  /** An enum by the table of what Weft supports; another value is a fault and reads as the fallback. */
  choice<T>(name: string, supported: Readonly<Record<string, T>>, fallback: T): T {
    const type = this.#field(name).resolvedType;
    if (!(type instanceof protobuf.Enum)) throw new Error(`${this.typeName}.${name} is not an enum`);
    const value = this.#value(name) ?? 0;
    const valueName = typeof value === 'number' ? (type.valuesById[value] ?? String(value)) : String(type.name);
    const chosen = Object.hasOwn(supported, valueName) ? supported[valueName] : undefined;
    if (chosen !== undefined) return chosen;
    this.fault(name, `${valueName} is not supported; use one of ${Object.keys(supported).join(', ')}`);
    return fallback;
  }

  /** An enum whose numbers mean something by themselves. */
  enumNumber(name: string): number {
    const value = this.#value(name);
    return typeof value === 'number' ? value : 0;
  }

  message(name: string): MessageReader | undefined {
    const value = this.#value(name);
    if (!isPlainObject(value)) return undefined;
    return new MessageReader(this.#messageType(name), value, this.at(name), this.faults, this.#anyDepth);
  }

  /** A message that must be there. */
  requiredMessage(name: string): MessageReader | undefined {
    const message = this.message(name);
    if (message === undefined) this.fault(name, 'must be set');
    return message;
  }

  messages(name: string): readonly MessageReader[] {
    const type = this.#messageType(name);
    const at = this.at(name);
    return this.#list(name)
      .filter(isPlainObject)
      .map((item, index) => new MessageReader(type, item, `${at}[${index}]`, this.faults, this.#anyDepth));
  }

  /** A map of messages, keys sorted. */
  messageMap(name: string): ReadonlyMap<string, MessageReader> {
    const type = this.#messageType(name);
    const value = this.#value(name);
    const entries = isPlainObject(value) ? Object.keys(value).sort() : [];
    const read = (key: string): MessageReader => {
      const item = isPlainObject(value) ? value[key] : undefined;
      const parts = isPlainObject(item) ? item : {};
      return new MessageReader(type, parts, `${this.at(name)}[${key}]`, this.faults, this.#anyDepth);
    };
    return new Map(entries.map((key) => [key, read(key)]));
  }

  /** A map of strings, keys sorted. */
  stringMap(name: string): ReadonlyMap<string, string> {
    const value = this.#value(name);
    if (!isPlainObject(value)) return new Map();
    const keys = Object.keys(value).sort();
    return new Map(keys.map((key) => [key, String(value[key])]));
  }

  /** A wrapped number or boolean (`google.protobuf.UInt32Value` and its kin), undefined where absent. */
  wrappedNumber(name: string): number | undefined {
    return this.message(name)?.number('value');
  }

  wrappedBoolean(name: string): boolean | undefined {
    return this.message(name)?.boolean('value');
  }

  /** A Duration as milliseconds, undefined where absent; a negative one is a fault. */
  durationMs(name: string): number | undefined {
    const value = this.#value(name);
    if (!isPlainObject(value)) return undefined;
    const milliseconds = durationMs(secondsAndNanos(value));
    if (milliseconds < 0) this.fault(name, `must not be negative, not ${milliseconds / 1000}s`);
    return Math.max(milliseconds, 0);
  }

  /** A Duration that must be above zero where it is set. */
  positiveDurationMs(name: string): number | undefined {
    const milliseconds = this.durationMs(name);
    if (milliseconds === 0) this.fault(name, 'must be more than 0s');
    return milliseconds;
  }

  /** A Struct as plain JSON, undefined where absent. */
  struct(name: string): Readonly<Record<string, unknown>> | undefined {
    const value = this.#value(name);
    return isPlainObject(value) ? jsonFromStruct(value) : undefined;
  }

  /** This message, a Struct, as plain JSON. */
  plainJson(): Readonly<Record<string, unknown>> {
    return jsonFromStruct(this.#parts);
  }

  /** An Any field that must be there, opened by its type; what `proto/` lacks, or cannot read, is a fault. */
  opened(name: string): MessageReader | undefined {
    return this.requiredMessage(name)?.openedAny();
  }

  /** This message, an Any, opened by its type. */
  openedAny(): MessageReader | undefined {
    const typeUrl = this.string('type_url');
    const type = messageTypeOfUrl(typeUrl);
    if (this.#anyDepth >= MAX_ANY_DEPTH) {
      this.fault('', `more than ${MAX_ANY_DEPTH} extensions are nested in each other`);
      return undefined;
    }
    if (type !== undefined) {
      return MessageReader.over(type, this.bytes('value'), this.path, this.faults, this.#anyDepth + 1);
    }
    this.fault('', `type ${typeUrl === '' ? '(none)' : typeUrl} is not supported`);
    return undefined;
  }

  #field(name: string): protobuf.Field {
    const field = this.#type.fields[name];
    if (field === undefined) throw new Error(`${this.typeName} has no field ${name}`);
    return field;
  }

  /** The field's value where the message carries it; the prototype's defaults do not count. */
  #value(name: string): unknown {
    if (!Object.hasOwn(this.#parts, this.#field(name).name)) return undefined;
    return this.#parts[name] ?? undefined;
  }

  #list(name: string): readonly unknown[] {
    const value = this.#value(name);
    return Array.isArray(value) ? value : [];
  }

  #messageType(name: string): MessageType {
    const type = this.#field(name).resolvedType;
    if (!(type instanceof protobuf.Type)) throw new Error(`${this.typeName}.${name} is not a message`);
    return type;
  }

  #number(name: string, protoType: string, value: unknown): number {
    if (!protoType.endsWith('64')) return typeof value === 'number' ? value : 0;
    const integer = Number(wireInteger(value ?? 0));
    if (!Number.isSafeInteger(integer)) this.fault(name, 'is beyond 2^53');
    return integer;
  }
}
