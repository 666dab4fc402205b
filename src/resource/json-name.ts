import type protobuf from 'protobufjs';
import type { MessageType } from './protos.ts';

/** The name protobuf gives a field in JSON: `consecutive_5xx` is `consecutive5xx`, `http_10` is `http10`. */
export function jsonName(fieldName: string): string {
  let name = '';
  let raise = false;
  for (const character of fieldName) {
    if (character === '_') {
      raise = true;
      continue;
    }
    name += raise ? character.toUpperCase() : character;
    raise = false;
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
