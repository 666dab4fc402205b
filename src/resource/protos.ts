import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';
import { PROTO_ROOT_FILES } from './proto-files.ts';

/**
 * The loaded message definitions of `proto/`. Nothing is read before the first call; after it everything is in memory.
 * Field names are the proto's own (snake_case). A bundled program expects `proto/` two folders above its entry file.
 */

/** A message definition with its reflection. */
export type MessageType = protobuf.Type;

/** A decoded message: fields by proto name, absent ones answered by their proto3 default. */
export type WireMessage = Readonly<Record<string, unknown>>;

const PROTO_FOLDER = fileURLToPath(new URL('../../proto/', import.meta.url));
const TYPE_URL_PREFIX = 'type.googleapis.com/';

let loadedRoot: protobuf.Root | undefined;
const typeByName = new Map<string, MessageType | undefined>();

/** The root of all definitions, for services and for tests that walk everything. */
export function protoRoot(): protobuf.Root {
  if (loadedRoot !== undefined) return loadedRoot;
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) => (protobuf.common.get(target) === null ? PROTO_FOLDER + target : target);
  root.loadSync([...PROTO_ROOT_FILES], { keepCase: true });
  root.resolveAll();
  loadedRoot = root;
  return root;
}

/** The definition of a message by full name (`envoy.config.core.v3.Node`), undefined where `proto/` has none. */
export function findMessageType(fullName: string): MessageType | undefined {
  if (typeByName.has(fullName)) return typeByName.get(fullName);
  const found = protoRoot().lookup(fullName, [protobuf.Type]);
  // lookup walks relative names too; only an exact full name counts.
  const type = found instanceof protobuf.Type && found.fullName === `.${fullName}` ? found : undefined;
  // Names come from peers: what is not known is not remembered, so that the table stays as small as proto/.
  if (type !== undefined) typeByName.set(fullName, type);
  return type;
}

/** The definition of a message that Weft itself names; a name `proto/` lacks is a mistake in the program. */
export function messageType(fullName: string): MessageType {
  const type = findMessageType(fullName);
  if (type === undefined) throw new Error(`proto/ has no message ${fullName}`);
  return type;
}

/**
 * Makes a message's codec, and those of the messages inside it, ahead of the first one: on a data path nobody should wait
 * for that.
 */
export function prepareMessage(fullName: string): void {
  const seen = new Set<MessageType>();
  const prepare = (type: MessageType): void => {
    if (seen.has(type)) return;
    seen.add(type);
    type.setup();
    for (const { resolvedType } of type.fieldsArray) if (resolvedType instanceof protobuf.Type) prepare(resolvedType);
  };
  prepare(messageType(fullName));
}

/** `type.googleapis.com/a.b.C` (any host) to `a.b.C`. */
export function nameOfTypeUrl(typeUrl: string): string {
  return typeUrl.slice(typeUrl.lastIndexOf('/') + 1);
}

/** `a.b.C` to `type.googleapis.com/a.b.C`. */
export function typeUrlOf(fullName: string): string {
  return TYPE_URL_PREFIX + fullName;
}

/** The definition behind an Any's type URL, undefined where `proto/` has none. */
export function messageTypeOfUrl(typeUrl: string): MessageType | undefined {
  return typeUrl.includes('/') ? findMessageType(nameOfTypeUrl(typeUrl)) : undefined;
}

const nameByObject = new WeakMap<protobuf.ReflectionObject, string>();

/** Full name of a definition without protobufjs's leading dot. Remembered: protobufjs puts it together at every call. */
export function fullNameOf(object: protobuf.ReflectionObject): string {
  let name = nameByObject.get(object);
  if (name === undefined) {
    name = object.fullName.slice(1);
    nameByObject.set(object, name);
  }
  return name;
}

/**
 * Bytes to a plain object with every default filled in: enums by name, 64-bit integers as strings, Any left as
 * `{type_url, value}`. Throws on bytes that are not such a message.
 */
export function decodeToObject(type: MessageType, bytes: Uint8Array): Record<string, unknown> {
  return type.toObject(type.decode(bytes), {
    enums: String,
    longs: String,
    defaults: true,
    arrays: true,
    objects: true,
  });
}

/**
 * A plain object in the shape of {@link decodeToObject} to bytes. Made for messages that the program builds itself: it does
 * not check names. What people or peers write goes through the strict builder.
 */
export function encodeFromObject(type: MessageType, object: WireMessage): Uint8Array {
  return type.encode(type.fromObject(object)).finish();
}
