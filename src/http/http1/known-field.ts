import { LOWER } from './byte-class.ts';
import { keyOfName } from './field-table.ts';

/** Field names the codec itself acts on. The numbers are bits, so that a set of them is one integer. */
export const KNOWN = {
  none: 0,
  host: 1,
  contentLength: 2,
  transferEncoding: 4,
  connection: 8,
  upgrade: 16,
  expect: 32,
  keepAlive: 64,
  /** TE, Proxy-Connection, HTTP2-Settings: dropped without being read. */
  otherHopByHop: 128,
} as const;

/** Those that never travel beyond one connection, or that writers make anew. Host is made anew from the authority. */
export const NEVER_COPIED =
  KNOWN.host |
  KNOWN.contentLength |
  KNOWN.transferEncoding |
  KNOWN.connection |
  KNOWN.upgrade |
  KNOWN.keepAlive |
  KNOWN.otherHopByHop;

const HOST = keyOfName('host');
const CONTENT_LENGTH = keyOfName('content-length');
const TRANSFER_ENCODING = keyOfName('transfer-encoding');
const CONNECTION = keyOfName('connection');
const UPGRADE = keyOfName('upgrade');
const EXPECT = keyOfName('expect');
const KEEP_ALIVE = keyOfName('keep-alive');
const TE = keyOfName('te');
const PROXY_CONNECTION = keyOfName('proxy-connection');
const HTTP2_SETTINGS = keyOfName('http2-settings');

/** Which known name stands at `start`, given its key. */
export function knownField(bytes: Uint8Array, start: number, key: number): number {
  switch (key) {
    case HOST:
      return matches(bytes, start, 'host') ? KNOWN.host : KNOWN.none;
    case CONTENT_LENGTH:
      return matches(bytes, start, 'content-length') ? KNOWN.contentLength : KNOWN.none;
    case TRANSFER_ENCODING:
      return matches(bytes, start, 'transfer-encoding') ? KNOWN.transferEncoding : KNOWN.none;
    case CONNECTION:
      return matches(bytes, start, 'connection') ? KNOWN.connection : KNOWN.none;
    case UPGRADE:
      return matches(bytes, start, 'upgrade') ? KNOWN.upgrade : KNOWN.none;
    case EXPECT:
      return matches(bytes, start, 'expect') ? KNOWN.expect : KNOWN.none;
    case KEEP_ALIVE:
      return matches(bytes, start, 'keep-alive') ? KNOWN.keepAlive : KNOWN.none;
    case TE:
      return KNOWN.otherHopByHop;
    case PROXY_CONNECTION:
      return matches(bytes, start, 'proxy-connection') ? KNOWN.otherHopByHop : KNOWN.none;
    case HTTP2_SETTINGS:
      return matches(bytes, start, 'http2-settings') ? KNOWN.otherHopByHop : KNOWN.none;
    default:
      return KNOWN.none;
  }
}

function matches(bytes: Uint8Array, start: number, name: string): boolean {
  for (let offset = 0; offset < name.length; offset += 1) {
    if (LOWER[bytes[start + offset] as number] !== name.charCodeAt(offset)) return false;
  }
  return true;
}
