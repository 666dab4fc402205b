/** ProtoJSON scalars: what each proto scalar type accepts, and how its value is written. */

/** A scalar that was read, or why it is none. */
export type ScalarResult =
  | { readonly ok: true; readonly value: string | number | boolean | Uint8Array }
  | { readonly ok: false; readonly message: string };

const INT32 = { min: -(2 ** 31), max: 2 ** 31 - 1 };
const UINT32 = { min: 0, max: 2 ** 32 - 1 };
const INT64 = { min: -(2n ** 63n), max: 2n ** 63n - 1n };
const UINT64 = { min: 0n, max: 2n ** 64n - 1n };

/** Reads one JSON value as the proto scalar type named. 64-bit integers beyond 2^53 stay decimal strings. */
export function parseScalar(protoType: string, json: unknown): ScalarResult {
  switch (protoType) {
    case 'string':
      return typeof json === 'string' ? parseString(json) : refuse('a string', json);
    case 'bool':
      return typeof json === 'boolean' ? { ok: true, value: json } : refuse('true or false', json);
    case 'bytes':
      return typeof json === 'string' ? parseBase64(json) : refuse('a base64 string', json);
    case 'float':
    case 'double':
      return parseFloating(protoType, json);
    case 'uint32':
    case 'fixed32':
      return parseInteger(json, UINT32);
    case 'int32':
    case 'sint32':
    case 'sfixed32':
      return parseInteger(json, INT32);
    case 'uint64':
    case 'fixed64':
      return parseBigInteger(json, UINT64);
    case 'int64':
    case 'sint64':
    case 'sfixed64':
      return parseBigInteger(json, INT64);
    default:
      throw new Error(`${protoType} is not a proto scalar type`);
  }
}

/** True for the value proto3 leaves off the wire. */
export function isScalarDefault(value: unknown): boolean {
  if (value instanceof Uint8Array) return value.length === 0;
  // -0 is not the default: its bits differ.
  return value === '' || value === false || Object.is(value, 0);
}

/** A short word for what was found in place of what was wanted. */
export function describeJson(json: unknown): string {
  if (json === null) return 'null';
  if (Array.isArray(json)) return 'a list';
  if (typeof json === 'object') return 'an object';
  const text = JSON.stringify(json) ?? typeof json;
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

function refuse(wanted: string, json: unknown): ScalarResult {
  return { ok: false, message: `must be ${wanted}, not ${describeJson(json)}` };
}

function parseString(text: string): ScalarResult {
  // A lone surrogate has no UTF-8 form; encoding would quietly change it.
  return text.isWellFormed() ? { ok: true, value: text } : { ok: false, message: 'must be well-formed Unicode' };
}

function parseBase64(text: string): ScalarResult {
  const standard = text
    .replaceAll('-', '+')
    .replaceAll('_', '/')
    .replace(/={1,2}$/, '');
  if (!/^[A-Za-z0-9+/]*$/.test(standard) || standard.length % 4 === 1) return refuse('base64', text);
  return { ok: true, value: Buffer.from(standard, 'base64') };
}

function parseFloating(protoType: string, json: unknown): ScalarResult {
  if (json === 'NaN' || json === 'Infinity' || json === '-Infinity') return { ok: true, value: Number(json) };
  const value = numberOf(json);
  if (value === undefined || !Number.isFinite(value)) return refuse('a number', json);
  if (protoType === 'float' && !Number.isFinite(Math.fround(value))) return refuse('a number that fits a float', json);
  return { ok: true, value: protoType === 'float' ? Math.fround(value) : value };
}

function parseInteger(json: unknown, range: { readonly min: number; readonly max: number }): ScalarResult {
  const value = numberOf(json);
  if (value === undefined || !Number.isInteger(value) || value < range.min || value > range.max) {
    return refuse(`a whole number from ${range.min} to ${range.max}`, json);
  }
  return { ok: true, value: value + 0 };
}

function parseBigInteger(json: unknown, range: { readonly min: bigint; readonly max: bigint }): ScalarResult {
  const text = typeof json === 'number' && Number.isSafeInteger(json) ? String(json) : json;
  if (typeof text !== 'string' || !/^-?\d{1,20}$/.test(text)) {
    return refuse('a whole number (as a string beyond 2^53)', json);
  }
  const value = BigInt(text);
  if (value < range.min || value > range.max) return refuse(`between ${range.min} and ${range.max}`, json);
  const number = Number(value);
  return { ok: true, value: Number.isSafeInteger(number) ? number : String(value) };
}

/** A JSON number, or a string that is one, as ProtoJSON allows. */
function numberOf(json: unknown): number | undefined {
  if (typeof json === 'number') return json === 0 ? 0 : json;
  if (typeof json !== 'string' || !/^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(json)) return undefined;
  return Number(json);
}
