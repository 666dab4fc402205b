import { CONNECTION_FAULTS, type Http2Fault } from './faults.ts';
import { FIRST_WINDOW_BYTES, MAX_FRAME_BYTES, MAX_WINDOW_BYTES, readUint32, SETTING_BYTES } from './frame.ts';
import { MAX_TABLE_BYTES } from './hpack/decoder-table.ts';
import type { Http2Limits } from './limits.ts';

export const HEADER_TABLE_SIZE = 0x1;
export const ENABLE_PUSH = 0x2;
export const MAX_CONCURRENT_STREAMS = 0x3;
export const INITIAL_WINDOW_SIZE = 0x4;
export const MAX_FRAME_SIZE = 0x5;
export const MAX_HEADER_LIST_SIZE = 0x6;
/** RFC 8441 §3. */
export const ENABLE_CONNECT_PROTOCOL = 0x8;

const LARGEST_FRAME_SIZE = 0xff_ffff;
/** What a client may open before the server has spoken. */
const FIRST_CONCURRENT_STREAMS = 100;

/** What a peer has asked of us, as far as it changes what we do. */
export class PeerSettings {
  headerTableBytes = MAX_TABLE_BYTES;
  initialWindowBytes = FIRST_WINDOW_BYTES;
  maxConcurrentStreams = FIRST_CONCURRENT_STREAMS;
  allowsExtendedConnect = false;
  readonly #peerIsServer: boolean;

  constructor(peerIsServer: boolean) {
    this.#peerIsServer = peerIsServer;
  }

  /** Takes a SETTINGS payload of whole entries (RFC 9113 §6.5.2). The first one also lifts what nobody has limited. */
  apply(bytes: Uint8Array, start: number, end: number, isFirst: boolean): Http2Fault | undefined {
    if (isFirst) this.maxConcurrentStreams = MAX_WINDOW_BYTES;
    for (let at = start; at < end; at += SETTING_BYTES) {
      const identifier = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
      const fault = this.#set(identifier, readUint32(bytes, at + 2));
      if (fault !== undefined) return fault;
    }
    return undefined;
  }

  #set(identifier: number, value: number): Http2Fault | undefined {
    switch (identifier) {
      case HEADER_TABLE_SIZE:
        this.headerTableBytes = value;
        return undefined;
      case ENABLE_PUSH:
        return value > 1 || (this.#peerIsServer && value === 1) ? CONNECTION_FAULTS.settingValue : undefined;
      case MAX_CONCURRENT_STREAMS:
        this.maxConcurrentStreams = value;
        return undefined;
      case INITIAL_WINDOW_SIZE:
        this.initialWindowBytes = value;
        return value > MAX_WINDOW_BYTES ? CONNECTION_FAULTS.settingWindow : undefined;
      case MAX_FRAME_SIZE:
        return value < MAX_FRAME_BYTES || value > LARGEST_FRAME_SIZE ? CONNECTION_FAULTS.settingValue : undefined;
      case ENABLE_CONNECT_PROTOCOL:
        return this.#setExtendedConnect(value);
      default:
        return undefined;
    }
  }

  /** RFC 8441 §3: not to be taken back. */
  #setExtendedConnect(value: number): Http2Fault | undefined {
    if (value > 1 || (value === 0 && this.allowsExtendedConnect)) return CONNECTION_FAULTS.settingValue;
    this.allowsExtendedConnect = value === 1;
    return undefined;
  }
}

/** The settings a server announces, as flat pairs. */
export function serverSettings(limits: Http2Limits): number[] {
  const pairs = [MAX_CONCURRENT_STREAMS, limits.maxConcurrentStreams, ...commonSettings(limits)];
  if (limits.allowExtendedConnect) pairs.push(ENABLE_CONNECT_PROTOCOL, 1);
  return pairs;
}

/** The settings a client announces: no push. */
export function clientSettings(limits: Http2Limits): number[] {
  return [ENABLE_PUSH, 0, ...commonSettings(limits)];
}

function commonSettings(limits: Http2Limits): number[] {
  const pairs = [INITIAL_WINDOW_SIZE, limits.streamWindowBytes, MAX_HEADER_LIST_SIZE, limits.maxHeadBytes];
  if (limits.headerTableBytes < MAX_TABLE_BYTES) pairs.push(HEADER_TABLE_SIZE, limits.headerTableBytes);
  return pairs;
}
