/**
 * The few protobuf wire forms that this room writes by hand, so that a resource which is already encoded is framed into a response
 * without being taken apart. Reading whole messages stays with the loaded protos.
 */

/** Wire type 2 of a protobuf field: length, then that many bytes. */
const LENGTH_DELIMITED = 2;

/** Bytes of an unsigned varint; only lengths and tags are written, so 32 bits are enough. */
function varintLength(value: number): number {
  let length = 1;
  for (let rest = value >>> 7; rest !== 0; rest >>>= 7) length += 1;
  return length;
}

function writeVarint(target: Buffer, offset: number, value: number): number {
  let at = offset;
  let rest = value;
  while (rest > 0x7f) {
    target[at] = (rest & 0x7f) | 0x80;
    at += 1;
    rest >>>= 7;
  }
  target[at] = rest;
  return at + 1;
}

/** One length-delimited field to be written: a string, or bytes as they are. */
export interface WireField {
  readonly field: number;
  readonly value: string | Buffer;
}

/** Writes fields in the order given, in one allocation. Field numbers up to 15 (one tag byte); proto3 leaves empty strings out. */
export function encodeFields(fields: readonly WireField[]): Buffer {
  return writeFields(fields, (size) => Buffer.allocUnsafe(size));
}

/** The same in memory of its own, for bytes that live long: a slice of Node's pool would keep its whole slab. */
export function encodeKeptFields(fields: readonly WireField[]): Buffer {
  return writeFields(fields, (size) => Buffer.allocUnsafeSlow(size));
}

/** A google.protobuf.Duration. */
export function durationMessage(durationMs: number): Buffer {
  const seconds = Math.trunc(durationMs / 1_000);
  const nanos = Math.round((durationMs % 1_000) * 1e6);
  return Buffer.concat([varintField(1, seconds), varintField(2, nanos)]);
}

/** A number of 32 bits without sign; proto3 leaves 0 out. */
export function varintField(field: number, value: number): Buffer {
  if (value === 0) return Buffer.alloc(0);
  const target = Buffer.alloc(1 + varintLength(value));
  target[0] = field << 3;
  writeVarint(target, 1, value);
  return target;
}

/** Lengths are asked for twice: a list of them would cost more. */
function writeFields(fields: readonly WireField[], allocate: (size: number) => Buffer): Buffer {
  let total = 0;
  for (let index = 0; index < fields.length; index += 1) total += sizeOf(fields[index]);
  const target = allocate(total);
  let at = 0;
  for (let index = 0; index < fields.length; index += 1) at = writeField(target, at, fields[index]);
  return target;
}

function sizeOf(field: WireField | undefined): number {
  if (field === undefined || field.value === '') return 0;
  const length = lengthOf(field.value);
  return 1 + varintLength(length) + length;
}

function writeField(target: Buffer, start: number, written: WireField | undefined): number {
  if (written === undefined || written.value === '') return start;
  const { field, value } = written;
  target[start] = (field << 3) | LENGTH_DELIMITED;
  const at = writeVarint(target, start + 1, lengthOf(value));
  return at + (typeof value === 'string' ? target.write(value, at) : value.copy(target, at));
}

function lengthOf(value: string | Buffer): number {
  return typeof value === 'string' ? Buffer.byteLength(value) : value.length;
}

/**
 * The string in field 1 of a message: the name of every resource type served today (name, cluster_name). Undefined when the bytes are
 * no message or hold no such field.
 */
export function firstStringField(message: Buffer): string | undefined {
  let at = 0;
  let found: string | undefined;
  while (at < message.length) {
    const tag = readVarint(message, at);
    if (tag === undefined) return undefined;
    const end = fieldEnd(message, tag.next, tag.value % 8);
    if (end === undefined) return undefined;
    // The last occurrence of a singular field wins, as in every protobuf reader.
    if (tag.value === ((1 << 3) | LENGTH_DELIMITED)) {
      const length = readVarint(message, tag.next);
      if (length !== undefined) found = message.toString('utf8', length.next, end);
    }
    at = end;
  }
  return found;
}

/** Where a field's value ends, or undefined when it runs past the message or has no known wire type. */
function fieldEnd(message: Buffer, start: number, wireType: number): number | undefined {
  let end: number | undefined;
  if (wireType === 0) end = readVarint(message, start)?.next;
  else if (wireType === 1) end = start + 8;
  else if (wireType === 5) end = start + 4;
  else if (wireType === LENGTH_DELIMITED) {
    const length = readVarint(message, start);
    end = length === undefined ? undefined : length.next + length.value;
  }
  return end !== undefined && end <= message.length ? end : undefined;
}

/** A varint as a number; values above 2^53 lose precision, which no tag or length that fits a message does. */
function readVarint(message: Buffer, start: number): { value: number; next: number } | undefined {
  let value = 0;
  let scale = 1;
  for (let index = 0; index < 10; index += 1) {
    const byte = message[start + index];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return { value, next: start + index + 1 };
    scale *= 128;
  }
  return undefined;
}
