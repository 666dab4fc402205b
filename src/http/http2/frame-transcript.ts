import * as Code from './error-code.ts';
import { FLAG_ACK, FLAG_END_HEADERS, FLAG_END_STREAM, FRAME_HEADER_BYTES, readUint31, readUint32 } from './frame.ts';
import type { HeaderField } from './hpack/header-field.ts';
import { HpackDecoder } from './hpack/hpack-decoder.ts';

const TYPES = ['DATA', 'HEADERS', 'PRIORITY', 'RST_STREAM', 'SETTINGS', 'PUSH_PROMISE', 'PING', 'GOAWAY'];
const TYPE_NAMES = [...TYPES, 'WINDOW_UPDATE', 'CONTINUATION'];
const CODE_NAMES = new Map(Object.entries(Code).map(([name, code]) => [code as number, name]));

export interface SentFrame {
  readonly type: string;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

/** Reads what a codec has written, frame by frame, for tests. One per connection: it keeps the HPACK table. */
export class FrameTranscript {
  readonly #decoder = new HpackDecoder();

  parse(bytes: Buffer): SentFrame[] {
    const frames: SentFrame[] = [];
    let at = 0;
    while (at < bytes.length) {
      const length = bytes.readUIntBE(at, 3);
      const type = TYPE_NAMES[bytes[at + 3] as number] ?? 'UNKNOWN';
      const payload = bytes.subarray(at + FRAME_HEADER_BYTES, at + FRAME_HEADER_BYTES + length);
      if (payload.length !== length) throw new Error(`the output ends inside ${type}`);
      frames.push({ type, flags: bytes[at + 4] as number, streamId: readUint31(bytes, at + 5), payload });
      at += FRAME_HEADER_BYTES + length;
    }
    return frames;
  }

  /** One line for each frame; header blocks decoded, END_STREAM as `end`. */
  describe(bytes: Buffer): string[] {
    return this.parse(bytes).map((frame) => this.#describeFrame(frame));
  }

  #describeFrame(frame: SentFrame): string {
    const { type, flags, streamId, payload } = frame;
    const end = (flags & FLAG_END_STREAM) !== 0 ? ' end' : '';
    switch (type) {
      case 'DATA':
        return `DATA ${streamId} ${payload.length}${end}`;
      case 'HEADERS':
        return `HEADERS ${streamId}${this.#fields(frame)}${end}`;
      case 'RST_STREAM':
        return `RST_STREAM ${streamId} ${CODE_NAMES.get(readUint32(payload, 0))}`;
      case 'GOAWAY':
        return `GOAWAY ${readUint31(payload, 0)} ${CODE_NAMES.get(readUint32(payload, 4))} ${payload.toString('latin1', 8)}`.trimEnd();
      case 'WINDOW_UPDATE':
        return `WINDOW_UPDATE ${streamId} ${readUint31(payload, 0)}`;
      case 'SETTINGS':
      case 'PING':
        return (flags & FLAG_ACK) !== 0 ? `${type} ack` : type;
      default:
        return `${type} ${streamId} ${payload.length}`;
    }
  }

  #fields({ flags, payload }: SentFrame): string {
    if ((flags & FLAG_END_HEADERS) === 0) return ` (${payload.length} bytes)`;
    let described = '';
    const onField = ({ name, value }: HeaderField): void => {
      described += ` ${name}=${value}`;
    };
    if (!this.#decoder.decode(payload, 0, payload.length, { onField })) throw new Error('we wrote bad HPACK');
    return described;
  }
}
