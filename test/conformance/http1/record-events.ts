import { HeaderEdits } from '../../../src/http/header-edits.ts';
import type { HeaderFields } from '../../../src/http/header-fields.ts';
import {
  CHUNK_END,
  chunkPrefix,
  DEFAULT_HTTP1_LIMITS,
  encodeInformationalHead,
  encodeRequestHead,
  encodeResponseHead,
  encodeTrailers,
  type Http1Limits,
  Http1RequestDecoder,
  Http1ResponseDecoder,
  LAST_CHUNK,
  setCanonicalCheck,
} from '../../../src/http/http1/http1.ts';

/** For tests and fuzzing: what a decoder told its sink, as comparable text, and what a proxy would send on. */
export interface Recording {
  /** One line per call; neighbouring body slices are one line. */
  readonly events: readonly string[];
  /** The bytes that go on, as latin1, written by our encoders with the canonical check on. */
  readonly forwarded: string;
  /** `status reason`, or '' where nothing was refused. */
  readonly fault: string;
  readonly bytesUsed: number;
}

export interface RecordingOptions {
  readonly limits?: Partial<Http1Limits>;
  /** Offsets at which the bytes are cut into separate calls of `decode`. */
  readonly cuts?: readonly number[];
  /** The peer closes after the last byte. */
  readonly finish?: boolean;
  /** For responses: the methods of the requests they answer, one by one. */
  readonly methods?: readonly string[];
  /** For responses: the protocol each request asked to switch to. */
  readonly upgrade?: string;
}

class EventLog {
  readonly events: string[] = [];
  forwarded = '';
  isChunked = false;
  #body: string | undefined = undefined;

  add(event: string): void {
    this.flush();
    this.events.push(event);
  }

  addBody(bytes: string): void {
    this.#body = (this.#body ?? '') + bytes;
    this.forwarded += this.isChunked ? '' : bytes;
  }

  flush(trailers?: HeaderFields): void {
    if (this.#body !== undefined) this.events.push(`body ${this.#body}`);
    // One chunk however the bytes came: the text that is compared must not depend on the cut.
    if (this.isChunked && this.#body !== undefined) {
      this.forwarded += chunkPrefix(this.#body.length) + this.#body + CHUNK_END;
    }
    this.#body = undefined;
    if (trailers !== undefined) this.events.push(`trailers ${describeFields(trailers)}`);
  }
}

export function describeFields(fields: HeaderFields): string {
  const shown: string[] = [];
  for (let index = 0; index < fields.count; index += 1) {
    shown.push(`${fields.isHopByHop(index) ? '!' : ''}${fields.nameAt(index)}=${fields.valueAt(index)}`);
  }
  return shown.join(' | ');
}

export function recordRequests(bytes: string | Buffer, options: RecordingOptions = {}): Recording {
  setCanonicalCheck(true);
  const log = new EventLog();
  const edits = new HeaderEdits();
  let sawTrailers = false;
  const decoder = new Http1RequestDecoder(
    {
      onRequestHead(head) {
        const { version, method, authority, path, bodyLength, upgrade, expectContinue } = head;
        const extras = `${upgrade === '' ? '' : ` upgrade=${upgrade}`}${expectContinue ? ' expect' : ''}`;
        log.add(`head ${method} ${authority} ${path} ${version} ${bodyLength}${extras} keepAlive=${decoder.keepAlive}`);
        log.add(`fields ${describeFields(head.fields)}`);
        log.isChunked = bodyLength < 0;
        sawTrailers = false;
        if (authority === '') return;
        log.forwarded += encodeRequestHead(head, edits, head, bodyLength, { keepAlive: true, upgrade });
      },
      onRequestBody: (buffer, start, end) => log.addBody(buffer.toString('latin1', start, end)),
      onRequestTrailers(fields) {
        sawTrailers = true;
        log.flush(fields);
        log.forwarded += encodeTrailers(fields);
      },
      onRequestEnd() {
        log.add('end');
        if (log.isChunked && !sawTrailers) log.forwarded += LAST_CHUNK;
      },
    },
    { ...DEFAULT_HTTP1_LIMITS, ...options.limits },
  );
  const bytesUsed = feed(decoder, toBuffer(bytes), options);
  log.flush();
  return finished(log, decoder, bytesUsed);
}

export function recordResponses(bytes: string | Buffer, options: RecordingOptions = {}): Recording {
  setCanonicalCheck(true);
  const log = new EventLog();
  const edits = new HeaderEdits();
  const methods = [...(options.methods ?? ['GET'])];
  const upgrade = options.upgrade ?? '';
  let sawTrailers = false;
  let requestMethod = '';
  const expectNext = (): void => {
    const method = methods.shift();
    if (method === undefined || !decoder.isIdle) return;
    requestMethod = method;
    decoder.expect(method, upgrade);
  };
  const decoder = new Http1ResponseDecoder(
    {
      onInformational(head) {
        log.add(`informational ${head.status} ${describeFields(head.fields)}`);
        log.forwarded += encodeInformationalHead(head, edits);
      },
      onResponseHead(head) {
        const { status, bodyLength, keepAlive, keepAliveTimeoutMs } = head;
        log.add(`head ${status} ${bodyLength} keepAlive=${keepAlive} ${keepAliveTimeoutMs}`);
        log.add(`fields ${describeFields(head.fields)}`);
        log.isChunked = bodyLength < 0;
        sawTrailers = false;
        const framing = { status, version: 11, keepAlive: true, bodyLength, requestMethod, upgrade } as const;
        log.forwarded += encodeResponseHead(head, edits, framing);
      },
      onResponseBody: (buffer, start, end) => log.addBody(buffer.toString('latin1', start, end)),
      onResponseTrailers(fields) {
        sawTrailers = true;
        log.flush(fields);
        log.forwarded += encodeTrailers(fields);
      },
      onResponseEnd() {
        log.add(decoder.fault === undefined ? 'end' : 'end, connection refused');
        if (log.isChunked && !sawTrailers) log.forwarded += LAST_CHUNK;
        expectNext();
      },
    },
    { ...DEFAULT_HTTP1_LIMITS, ...options.limits },
  );
  expectNext();
  const bytesUsed = feed(decoder, toBuffer(bytes), options);
  log.flush();
  return finished(log, decoder, bytesUsed);
}

function toBuffer(bytes: string | Buffer): Buffer {
  return typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes;
}

/** Each piece is fed from a buffer of its own that is then overwritten: nothing may be kept by reference. */
function feed(decoder: Http1RequestDecoder | Http1ResponseDecoder, bytes: Buffer, options: RecordingOptions): number {
  const cuts = [...(options.cuts ?? []), bytes.length].sort((left, right) => left - right);
  let used = 0;
  let start = 0;
  for (const cut of cuts) {
    const piece = Buffer.from(bytes.subarray(start, cut));
    const count = decoder.decode(piece, 0, piece.length);
    piece.fill(0xaa);
    used += count;
    start = cut;
    if (decoder.fault !== undefined || count < piece.length) break;
  }
  if (options.finish === true) decoder.finish();
  return used;
}

function finished(log: EventLog, decoder: Http1RequestDecoder | Http1ResponseDecoder, bytesUsed: number): Recording {
  const { fault } = decoder;
  return {
    events: log.events,
    forwarded: log.forwarded,
    fault: fault === undefined ? '' : `${fault.status} ${fault.reason}`,
    bytesUsed,
  };
}
