/**
 * What a JSON document from outside may look like, and its one canonical form. Consul accepts `LocalBindPort`,
 * `local_bind_port` and `localbindport` for the same field; behind this file there is only `LocalBindPort`.
 */
import { formatGoDuration, parseGoDurationNanos } from '../../base/go-duration.ts';

export type Shape =
  | ScalarShape
  | { readonly list: Shape }
  /** Keys are data, not field names. */
  | { readonly map: Shape }
  | FieldsShape;

export interface FieldsShape {
  readonly fields: FieldShapes;
  /** Other names, in snake_case, of some fields. */
  readonly aliases?: Readonly<Record<string, string>>;
  /** Fields that have no name in snake_case. */
  readonly camelOnly?: readonly string[];
}

export type ScalarShape =
  | 'string'
  | 'integer'
  | 'number'
  | 'boolean'
  /** A Go duration string or a number of nanoseconds; canonical form: the string. */
  | 'duration'
  /** The same; canonical form: the number (where Consul's structs have no string form). */
  | 'nanoseconds'
  /** Opaque: kept exactly as it came (proxy `Config` maps). */
  | 'any';

export interface FieldShapes {
  readonly [field: string]: Shape;
}

export type JsonObject = Record<string, unknown>;

export interface ShapeFaults {
  /** Values of the wrong type. */
  readonly wrong: string[];
  /** Keys that no field answers to. */
  readonly unknown: string[];
}

/** Deeper documents than any of Consul's are refused rather than walked. */
const MAX_DEPTH = 32;

const lookupTables = new WeakMap<FieldsShape, ReadonlyMap<string, string>>();

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value in canonical form; everything that did not fit is named in `faults`. `null` counts as absent, as in Go. */
export function canonical(value: unknown, shape: Shape, path: string, faults: ShapeFaults, depth = 0): unknown {
  if (value === null || value === undefined) return undefined;
  if (depth > MAX_DEPTH) {
    faults.wrong.push(`${path}: nested deeper than ${MAX_DEPTH} levels`);
    return undefined;
  }
  if (typeof shape === 'string') return canonicalScalar(value, shape, path, faults);
  if ('list' in shape) {
    if (!Array.isArray(value)) return wrong(faults, path, 'an array', value);
    return value.map((item, at) => canonical(item, shape.list, `${path}[${at}]`, faults, depth + 1));
  }
  if (!isJsonObject(value)) return wrong(faults, path, 'an object', value);
  if ('map' in shape) {
    const result: JsonObject = {};
    for (const [key, item] of Object.entries(value)) {
      defineField(result, key, canonical(item, shape.map, `${path}[${JSON.stringify(key)}]`, faults, depth + 1));
    }
    return result;
  }
  return canonicalFields(value, shape, path, faults, depth);
}

function canonicalFields(
  value: JsonObject,
  fieldsShape: FieldsShape,
  path: string,
  faults: ShapeFaults,
  depth: number,
): JsonObject {
  const { fields } = fieldsShape;
  const names = namesOf(fieldsShape);
  const result: JsonObject = {};
  for (const [key, item] of Object.entries(value)) {
    const name = names.get(foldKey(key));
    const where = path === '' ? key : `${path}.${key}`;
    if (name === undefined || (key.includes('_') && fieldsShape.camelOnly?.includes(name) === true)) {
      faults.unknown.push(where);
      continue;
    }
    const shape = fields[name];
    if (shape === undefined) continue;
    const read = canonical(item, shape, where, faults, depth + 1);
    if (read !== undefined) result[name] = read;
  }
  return result;
}

function canonicalScalar(value: unknown, shape: ScalarShape, path: string, faults: ShapeFaults): unknown {
  switch (shape) {
    case 'any':
      return value;
    case 'string':
      return typeof value === 'string' ? value : wrong(faults, path, 'a string', value);
    case 'boolean':
      return typeof value === 'boolean' ? value : wrong(faults, path, 'a boolean', value);
    case 'integer':
      return Number.isSafeInteger(value) ? value : wrong(faults, path, 'an integer', value);
    case 'number':
      return typeof value === 'number' && Number.isFinite(value) ? value : wrong(faults, path, 'a number', value);
    case 'duration':
    case 'nanoseconds':
      return canonicalDuration(value, shape, path, faults);
  }
}

function canonicalDuration(
  value: unknown,
  shape: 'duration' | 'nanoseconds',
  path: string,
  faults: ShapeFaults,
): string | number | undefined {
  if (value === '') return undefined;
  const nanos = typeof value === 'number' ? value : typeof value === 'string' ? parseGoDurationNanos(value) : undefined;
  if (nanos === undefined || !Number.isFinite(nanos)) {
    faults.wrong.push(`${path}: time: invalid duration ${JSON.stringify(value)}; write it like "10s" or "1m30s"`);
    return undefined;
  }
  return shape === 'duration' ? formatGoDuration(nanos) : nanos;
}

function wrong(faults: ShapeFaults, path: string, expected: string, value: unknown): undefined {
  const got = Array.isArray(value) ? 'an array' : typeof value;
  faults.wrong.push(`${path === '' ? 'the document' : path}: expected ${expected}, got ${got}`);
  return undefined;
}

/** `local_bind_port`, `LocalBindPort` and `LOCALBINDPORT` are one name. */
function foldKey(key: string): string {
  return key.replaceAll('_', '').toLowerCase();
}

function namesOf(shape: FieldsShape): ReadonlyMap<string, string> {
  const known = lookupTables.get(shape);
  if (known !== undefined) return known;
  const names = new Map<string, string>();
  for (const name of Object.keys(shape.fields)) names.set(foldKey(name), name);
  for (const [alias, name] of Object.entries(shape.aliases ?? {})) names.set(foldKey(alias), name);
  lookupTables.set(shape, names);
  return names;
}

/** `__proto__` as a key is data like any other. */
function defineField(target: JsonObject, key: string, value: unknown): void {
  if (value === undefined) return;
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
}
