/** google.protobuf.Struct, Value and ListValue against plain JSON. */

type Plain = Readonly<Record<string, unknown>>;

/** How deep plain JSON may nest inside one Struct; twice this stays below what protobuf decoders accept. */
const MAX_STRUCT_DEPTH = 32;

/** Plain JSON to the parts of a Value; undefined where the JSON has something no Value can hold. */
export function valueFromJson(json: unknown, depth = 0): Plain | undefined {
  if (depth > MAX_STRUCT_DEPTH) return undefined;
  if (json === null) return { nullValue: 0 };
  if (typeof json === 'string') return { stringValue: json };
  if (typeof json === 'boolean') return { boolValue: json };
  if (typeof json === 'number') return Number.isFinite(json) ? { numberValue: json } : undefined;
  if (Array.isArray(json)) {
    const list = listFromJson(json, depth);
    return list && { listValue: list };
  }
  const struct = structFromJson(json, depth);
  return struct && { structValue: struct };
}

/** A plain object to the parts of a Struct, keys sorted so that equal content gives equal bytes. */
export function structFromJson(json: unknown, depth = 0): Plain | undefined {
  if (!isPlainObject(json)) return undefined;
  const fields: Record<string, unknown> = Object.create(null);
  for (const key of Object.keys(json).sort()) {
    const value = valueFromJson(json[key], depth + 1);
    if (value === undefined) return undefined;
    fields[key] = value;
  }
  return { fields };
}

/** A plain list to the parts of a ListValue. */
export function listFromJson(json: unknown, depth = 0): Plain | undefined {
  if (!Array.isArray(json)) return undefined;
  const values: Plain[] = [];
  for (const item of json) {
    const value = valueFromJson(item, depth + 1);
    if (value === undefined) return undefined;
    values.push(value);
  }
  return { values };
}

/** A decoded Value to plain JSON; an empty one reads as null. */
export function jsonFromValue(value: Plain): unknown {
  // Own properties only: proto3 defaults sit on the prototype of a decoded message.
  if (Object.hasOwn(value, 'stringValue')) return value['stringValue'];
  if (Object.hasOwn(value, 'numberValue')) return value['numberValue'];
  if (Object.hasOwn(value, 'boolValue')) return value['boolValue'];
  if (isPlainObject(value['structValue'])) return jsonFromStruct(value['structValue']);
  if (isPlainObject(value['listValue'])) return jsonFromList(value['listValue']);
  return null;
}

/** A decoded Struct to a plain object. */
export function jsonFromStruct(struct: Plain): Record<string, unknown> {
  const fields = struct['fields'];
  if (!isPlainObject(fields)) return {};
  const entries = Object.keys(fields).sort();
  return Object.fromEntries(entries.map((key) => [key, jsonFromValue(asPlain(fields[key]))]));
}

/** A decoded ListValue to a plain list. */
export function jsonFromList(list: Plain): unknown[] {
  const values = list['values'];
  return Array.isArray(values) ? values.map((value) => jsonFromValue(asPlain(value))) : [];
}

/** True for JSON objects and decoded messages, false for lists, null and bytes. */
export function isPlainObject(value: unknown): value is Plain {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

function asPlain(value: unknown): Plain {
  return isPlainObject(value) ? value : {};
}
