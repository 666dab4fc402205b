/** The frame layout of RFC 9113 §4 and §6: numbers only. */

export const FRAME_HEADER_BYTES = 9;
/** SETTINGS_MAX_FRAME_SIZE as everyone starts with it. We never ask for more and never send more. */
export const MAX_FRAME_BYTES = 16_384;
export const MAX_STREAM_ID = 0x7fff_ffff;
export const MAX_WINDOW_BYTES = 0x7fff_ffff;
/** Both windows before anyone has said otherwise (RFC 9113 §6.9.2). */
export const FIRST_WINDOW_BYTES = 65_535;

export const DATA = 0x0;
export const HEADERS = 0x1;
export const PRIORITY = 0x2;
export const RST_STREAM = 0x3;
export const SETTINGS = 0x4;
export const PUSH_PROMISE = 0x5;
export const PING = 0x6;
export const GOAWAY = 0x7;
export const WINDOW_UPDATE = 0x8;
export const CONTINUATION = 0x9;

export const FLAG_END_STREAM = 0x1;
export const FLAG_ACK = 0x1;
export const FLAG_END_HEADERS = 0x4;
export const FLAG_PADDED = 0x8;
export const FLAG_PRIORITY = 0x20;

export const PRIORITY_BYTES = 5;
export const RST_STREAM_BYTES = 4;
export const WINDOW_UPDATE_BYTES = 4;
export const PING_BYTES = 8;
export const GOAWAY_BYTES = 8;
export const SETTING_BYTES = 6;

/** What a client sends first (RFC 9113 §3.4). */
export const CLIENT_PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

export function readUint31(bytes: Uint8Array, at: number): number {
  return readUint32(bytes, at) & 0x7fff_ffff;
}

export function readUint32(bytes: Uint8Array, at: number): number {
  const high = ((bytes[at] as number) << 24) | ((bytes[at + 1] as number) << 16);
  return (high | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)) >>> 0;
}
