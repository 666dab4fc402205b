import protobuf from 'protobufjs';
import { type MessageType, messageType } from '../../../src/resource/protos.ts';
import { wellKnownValue } from './well-known-value.ts';

/** Who asked for what: one call for each field that a decoder looks at. */
export interface FieldWitness {
  /** A message that a decoder was given. */
  opened(typeName: string): void;
  /** `path` as a fault names it. */
  asked(typeName: string, field: string, path: string): void;
}

export interface Synthesis {
  readonly witness: FieldWitness;
  /** In [0, 1). */
  readonly random: () => number;
  /** One of `count` choices of a place, each as often as the others, so that rare ones have their turn. */
  readonly turn: (place: string, count: number) => number;
  /** Full names that an Any may hold. */
  readonly extensions: readonly string[];
}

/** Messages nest in themselves (`and_rules`); deeper than this nothing is set. */
const MAX_DEPTH = 14;
/** Some fields decide whether others are looked at, so that each must be missing now and then. */
const PRESENCE = 0.7;

/**
 * Stands for a decoded message of which each field holds something, made up when a decoder asks for it. What nobody asks
 * for is never made, so what was made is what the decoder reads.
 */
export function syntheticParts(type: MessageType, path: string, synthesis: Synthesis, depth = 0): object {
  const name = type.fullName.slice(1);
  const ofWellKnown = wellKnownValue(name, path, synthesis);
  if (ofWellKnown !== undefined) return ofWellKnown;
  synthesis.witness.opened(name);
  const parts: Record<string, unknown> = {};
  const chosen = chosenMembers(type, synthesis);
  for (const field of type.fieldsArray) {
    const at = path === '' ? field.name : `${path}.${field.name}`;
    // A reader asks which member of a oneof is set by looking at each: only the one that is set counts as read.
    const isSet = field.partOf === null ? synthesis.random() < PRESENCE : chosen.has(field.name);
    let made: { readonly value: unknown } | undefined;
    Object.defineProperty(parts, field.name, {
      enumerable: true,
      get: () => {
        if (field.partOf === null || isSet) synthesis.witness.asked(name, field.name, at);
        made ??= { value: isSet && depth < MAX_DEPTH ? syntheticField(field, at, synthesis, depth) : undefined };
        return made.value;
      },
    });
  }
  return parts;
}

function chosenMembers(type: MessageType, { random, turn }: Synthesis): ReadonlySet<string> {
  return new Set(
    type.oneofsArray.flatMap(({ fullName, fieldsArray }) => {
      if (fieldsArray.length === 1 && random() > PRESENCE) return [];
      return fieldsArray[turn(fullName, fieldsArray.length)]?.name ?? [];
    }),
  );
}

function syntheticField(field: protobuf.Field, at: string, synthesis: Synthesis, depth: number): unknown {
  if (field instanceof protobuf.MapField) return { key: syntheticSingle(field, `${at}[key]`, synthesis, depth) };
  return field.repeated
    ? [syntheticSingle(field, `${at}[0]`, synthesis, depth)]
    : syntheticSingle(field, at, synthesis, depth);
}

function syntheticSingle(field: protobuf.Field, at: string, synthesis: Synthesis, depth: number): unknown {
  const { resolvedType } = field;
  const { random } = synthesis;
  if (resolvedType instanceof protobuf.Enum) {
    const values = Object.values(resolvedType.values);
    return values[Math.floor(random() * values.length)];
  }
  if (resolvedType instanceof protobuf.Type) return syntheticParts(resolvedType, at, synthesis, depth + 1);
  switch (field.type) {
    case 'string':
      return STRINGS[Math.floor(random() * STRINGS.length)];
    case 'bytes':
      return new Uint8Array([0x61]);
    case 'bool':
      return random() < PRESENCE;
    default:
      return 1 + Math.floor(random() * 200);
  }
}

const STRINGS = ['name', 'x-header', '/path', '10.0.0.1', '5xx,connect-failure', 'a.example'];

/** The same, in place of an encoded message. */
export function syntheticRoot(fullName: string, path: string, synthesis: Synthesis): object {
  return syntheticParts(messageType(fullName), path, synthesis);
}
