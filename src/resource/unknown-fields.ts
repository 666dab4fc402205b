import protobuf from 'protobufjs';
import { fullNameOf, type MessageType, messageTypeOfUrl } from './protos.ts';

const ANY = 'google.protobuf.Any';

/** Enough to tell a person what is newer than we are; a hostile resource costs no more than this. */
const MAX_NAMED_FIELDS = 20;

/** A large resource repeats itself: what its first part does not have, its last hardly will. Bounds the time of a look. */
const MAX_VISITED_FIELDS = 20_000;

/** The wire type of everything that is length-delimited: messages, strings, bytes, packed lists. */
const LENGTH_DELIMITED = 2;

/**
 * Fields of an encoded resource that `proto/` does not know, as paths that end in a number: `filter_chains.#12`. A decoder
 * cannot see them, so that nothing of them takes effect; somebody should be told. Bytes that are no such message have none.
 */
export function unknownFields(typeUrl: string, bytes: Uint8Array): readonly string[] {
  const type = messageTypeOfUrl(typeUrl);
  const search: Search = { found: new Set(), visited: 0 };
  try {
    if (type !== undefined) walk(type, bytes, '', search);
  } catch {
    return [];
  }
  return [...search.found];
}

interface Search {
  readonly found: Set<string>;
  visited: number;
}

function walk(type: MessageType, bytes: Uint8Array, path: string, search: Search): void {
  if (fullNameOf(type) === ANY) {
    walkAny(type, bytes, path, search);
    return;
  }
  // A message of which only the name is known: what is in it was never meant to be read.
  if (type.fieldsArray.length === 0) return;
  const reader = protobuf.Reader.create(bytes);
  while (reader.pos < reader.len && search.found.size < MAX_NAMED_FIELDS && search.visited < MAX_VISITED_FIELDS) {
    search.visited++;
    const tag = reader.uint32();
    const number = tag >>> 3;
    const wireType = tag & 7;
    const field = type.fieldsById[number];
    if (field === undefined) search.found.add(`${path}#${number}`);
    const inner = field?.resolvedType instanceof protobuf.Type ? field.resolvedType : undefined;
    if (field === undefined || inner === undefined || wireType !== LENGTH_DELIMITED) reader.skipType(wireType);
    else if (field instanceof protobuf.MapField) walkMapEntry(inner, reader.bytes(), `${path}${field.name}.`, search);
    else walk(inner, reader.bytes(), `${path}${field.name}.`, search);
  }
}

/** An entry of a map is a message of a key, 1, and a value, 2. */
function walkMapEntry(type: MessageType, bytes: Uint8Array, path: string, search: Search): void {
  const reader = protobuf.Reader.create(bytes);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag >>> 3 === 2 && (tag & 7) === LENGTH_DELIMITED) walk(type, reader.bytes(), path, search);
    else reader.skipType(tag & 7);
  }
}

/** What stands in an Any whose type nobody knows is somebody else's matter: it is refused, or optional. */
function walkAny(type: MessageType, bytes: Uint8Array, path: string, search: Search): void {
  const message: unknown = type.decode(bytes);
  if (typeof message !== 'object' || message === null) return;
  const { type_url: typeUrl, value } = message as { readonly type_url?: unknown; readonly value?: unknown };
  const inner = typeof typeUrl === 'string' ? messageTypeOfUrl(typeUrl) : undefined;
  if (inner !== undefined && value instanceof Uint8Array) walk(inner, value, path, search);
}
