import type protobuf from 'protobufjs';
import type { MessageType } from './protos.ts';

/** The name protobuf gives a field in JSON: `consecutive_5xx` is `consecutive5xx`, `http_10` is `http10`. */
export function jsonName(fieldName: string): string {
  const [first = '', ...words] = fieldName.split('_');
  return first + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
}

const jsonNameByField = new WeakMap<protobuf.FieldBase, string>();

/** The JSON name of a field, remembered. */
export function jsonNameOf(field: protobuf.FieldBase): string {
  let name = jsonNameByField.get(field);
  if (name === undefined) {
    name = jsonName(field.name);
    jsonNameByField.set(field, name);
  }
  return name;
}

const fieldsByJsonName = new WeakMap<MessageType, ReadonlyMap<string, protobuf.Field>>();

/** The field that a JSON key means, by its JSON name or its name in the proto. */
export function fieldByJsonName(type: MessageType, key: string): protobuf.Field | undefined {
  let fields = fieldsByJsonName.get(type);
  if (fields === undefined) {
    const both = type.fieldsArray.flatMap((field): [string, protobuf.Field][] => [
      [field.name, field],
      [jsonName(field.name), field],
    ]);
    fields = new Map(both);
    fieldsByJsonName.set(type, fields);
  }
  return fields.get(key);
}
