import {
  CLIENT_PREFACE,
  CONTINUATION,
  DATA,
  FLAG_ACK,
  FLAG_END_HEADERS,
  FLAG_END_STREAM,
  FLAG_PADDED,
  GOAWAY,
  HEADERS,
  PING,
  PRIORITY,
  RST_STREAM,
  SETTINGS,
  WINDOW_UPDATE,
} from './frame.ts';

/** Frames as tests write them: by hand, apart from the codec's own writers, and wrong where a test wants them wrong. */

export type Pairs = readonly (readonly [name: string, value: string])[];

export function frame(type: number, flags: number, streamId: number, payload: Uint8Array = new Uint8Array()): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(streamId, 5);
  return Buffer.concat([header, payload]);
}

export function uint32(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, index) => {
    bytes.writeUInt32BE(value, index * 4);
  });
  return bytes;
}

function prefixed(pattern: number, prefixBits: number, value: number): Buffer {
  const mask = (1 << prefixBits) - 1;
  if (value < mask) return Buffer.from([pattern | value]);
  const bytes = [pattern | mask];
  let rest = value - mask;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Buffer.from([...bytes, rest]);
}

function text(value: string): Buffer {
  return Buffer.concat([prefixed(0, 7, value.length), Buffer.from(value, 'latin1')]);
}

export const indexed = (index: number): Buffer => prefixed(0x80, 7, index);
export const sizeUpdate = (bytes: number): Buffer => prefixed(0x20, 5, bytes);
export const literal = (name: string, value: string): Buffer => Buffer.concat([Buffer.of(0), text(name), text(value)]);
export const neverIndexed = (name: string, value: string): Buffer =>
  Buffer.concat([Buffer.of(0x10), text(name), text(value)]);
export const incremental = (name: string, value: string): Buffer =>
  Buffer.concat([Buffer.of(0x40), text(name), text(value)]);

/** Fields as literals that leave the table alone. */
export function block(pairs: Pairs): Buffer {
  return Buffer.concat(pairs.map(([name, value]) => literal(name, value)));
}

export const GET: Pairs = [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'a.test'],
];
export const POST: Pairs = [[':method', 'POST'], ...GET.slice(1)];
export const OK: Pairs = [[':status', '200']];

/** HEADERS with END_HEADERS; `end` sets END_STREAM. */
export function headers(streamId: number, pairs: Pairs, end = false): Buffer {
  return frame(HEADERS, FLAG_END_HEADERS | (end ? FLAG_END_STREAM : 0), streamId, block(pairs));
}

export function headersOf(streamId: number, fields: Uint8Array, flags: number): Buffer {
  return frame(HEADERS, flags, streamId, fields);
}

export function continuation(streamId: number, fields: Uint8Array, isLast = false): Buffer {
  return frame(CONTINUATION, isLast ? FLAG_END_HEADERS : 0, streamId, fields);
}

export function data(streamId: number, content: Uint8Array | string, end = false, padding = 0): Buffer {
  const bytes = typeof content === 'string' ? Buffer.from(content, 'latin1') : content;
  const flags = (end ? FLAG_END_STREAM : 0) | (padding > 0 ? FLAG_PADDED : 0);
  if (padding === 0) return frame(DATA, flags, streamId, bytes);
  return frame(DATA, flags, streamId, Buffer.concat([Buffer.of(padding), bytes, Buffer.alloc(padding)]));
}

export function settings(...pairs: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(6 * pairs.length);
  pairs.forEach(([id, value], index) => {
    payload.writeUInt16BE(id, index * 6);
    payload.writeUInt32BE(value, index * 6 + 2);
  });
  return frame(SETTINGS, 0, 0, payload);
}

export const settingsAck = (): Buffer => frame(SETTINGS, FLAG_ACK, 0);
export const reset = (streamId: number, code = 8): Buffer => frame(RST_STREAM, 0, streamId, uint32(code));
export const windowUpdate = (streamId: number, increment: number): Buffer =>
  frame(WINDOW_UPDATE, 0, streamId, uint32(increment));
export const ping = (payload = '12345678', flags = 0): Buffer => frame(PING, flags, 0, Buffer.from(payload, 'latin1'));
export const priority = (streamId: number, dependsOn: number): Buffer =>
  frame(PRIORITY, 0, streamId, Buffer.concat([uint32(dependsOn), Buffer.of(16)]));
export const goAway = (lastStreamId: number, code = 0): Buffer => frame(GOAWAY, 0, 0, uint32(lastStreamId, code));

/** What a client sends before its first request. */
export const CLIENT_HELLO = Buffer.concat([CLIENT_PREFACE, settings(), settingsAck()]);
/** What a server sends before its first response. */
export const SERVER_HELLO = Buffer.concat([settings(), settingsAck()]);
