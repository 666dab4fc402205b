import { NOT_GRPC, type StreamRecord } from '../stream-record.ts';
import {
  BIT_HTTPS,
  BIT_INBOUND,
  BIT_REUSED,
  BIT_TLS_12,
  BIT_TLS_13,
  DROPPED,
  GRPC_STATUS_SHIFT,
  HEAD,
  HEADER_BYTES,
  LENGTH_BYTES,
  MAX_TRACESTATE_BYTES,
  NUMBER,
  ORIGIN,
  PARENT_SPAN_ID_AT,
  RECORD_BYTES,
  SPAN_ID_AT,
  SPAN_ID_LENGTH,
  TAIL,
  TEXTS_AT,
  TRACE_ID_AT,
  TRACE_ID_LENGTH,
} from './span-ring-layout.ts';

/** Records that fit a ring unless told otherwise: 4 MiB, a tenth of a second at 20,000 spans a second. */
export const SPAN_RING_RECORDS = 2_048;

/** Up to this length a loop beats the native copy. */
const SHORT_TEXT = 32;

/** Shared memory for one ring; the number of records must be a power of two. */
export function spanRingBuffer(records: number = SPAN_RING_RECORDS): SharedArrayBuffer {
  if (!Number.isInteger(records) || records < 2 || (records & (records - 1)) !== 0) {
    throw new RangeError(`a span ring holds a power of two of records, not ${records}`);
  }
  return new SharedArrayBuffer(HEADER_BYTES + records * RECORD_BYTES);
}

/**
 * The writing end of a ring with one writer and one reader. A full ring drops the new record and counts it; nothing
 * ever waits.
 */
export class SpanRing {
  readonly #state: Int32Array;
  readonly #numbers: Float64Array;
  readonly #bytes: Buffer;
  readonly #mask: number;

  /** `timeOriginMs` is `performance.timeOrigin` of the writing thread: what makes its times comparable with others'. */
  constructor(buffer: SharedArrayBuffer, timeOriginMs: number) {
    this.#state = new Int32Array(buffer, 0, HEADER_BYTES / Int32Array.BYTES_PER_ELEMENT);
    this.#numbers = new Float64Array(buffer);
    this.#bytes = Buffer.from(buffer);
    this.#mask = (buffer.byteLength - HEADER_BYTES) / RECORD_BYTES - 1;
    this.#numbers[ORIGIN] = timeOriginMs;
  }

  /** Copies what a span needs; false where the ring was full. */
  write(record: StreamRecord, endedAtMs: number): boolean {
    const state = this.#state;
    const head = state[HEAD] ?? 0;
    // `| 0`: both run through 32 bits and wrap; their distance never exceeds the ring.
    if (((head - Atomics.load(state, TAIL)) | 0) > this.#mask) {
      Atomics.add(state, DROPPED, 1);
      return false;
    }
    const start = HEADER_BYTES + (head & this.#mask) * RECORD_BYTES;
    this.#writeNumbers(record, endedAtMs, start / Float64Array.BYTES_PER_ELEMENT);
    this.#writeIdentifiers(record, start);
    this.#writeTexts(record, start + TEXTS_AT);
    // Publishes everything written above: the reader sees the record whole or not at all.
    Atomics.store(state, HEAD, (head + 1) | 0);
    return true;
  }

  #writeNumbers(record: StreamRecord, endedAtMs: number, at: number): void {
    const numbers = this.#numbers;
    numbers[at + NUMBER.receivedAtMs] = record.receivedAtMs;
    numbers[at + NUMBER.attemptStartedAtMs] = record.attemptStartedAtMs;
    numbers[at + NUMBER.requestEndAtMs] = record.requestEndAtMs;
    numbers[at + NUMBER.pickedAtMs] = record.pickedAtMs;
    numbers[at + NUMBER.connectionReadyAtMs] = record.connectionReadyAtMs;
    numbers[at + NUMBER.firstUpstreamByteAtMs] = record.firstUpstreamByteAtMs;
    numbers[at + NUMBER.endedAtMs] = endedAtMs;
    numbers[at + NUMBER.queueMs] = record.queueMs;
    numbers[at + NUMBER.downstreamPort] = record.downstreamPort;
    numbers[at + NUMBER.localPort] = record.localPort;
    numbers[at + NUMBER.hostPort] = record.hostPort;
    numbers[at + NUMBER.attempt] = record.attempt;
    numbers[at + NUMBER.inFlightAtArrival] = record.inFlightAtArrival;
    numbers[at + NUMBER.hostInFlightAtPick] = record.hostInFlightAtPick;
    numbers[at + NUMBER.status] = record.status;
    numbers[at + NUMBER.requestBodyBytes] = record.requestBodyBytes;
    numbers[at + NUMBER.responseBodyBytes] = record.responseBodyBytes;
    numbers[at + NUMBER.workerId] = record.workerId;
    numbers[at + NUMBER.protocol] = record.protocol;
    numbers[at + NUMBER.bits] =
      (record.direction === 'inbound' ? BIT_INBOUND : 0) |
      (record.scheme === 'https' ? BIT_HTTPS : 0) |
      (record.connectionReused ? BIT_REUSED : 0) |
      (record.tlsVersion === 'TLSv1.3' ? BIT_TLS_13 : 0) |
      (record.tlsVersion === 'TLSv1.2' ? BIT_TLS_12 : 0) |
      ((record.grpcStatus - NOT_GRPC) << GRPC_STATUS_SHIFT);
  }

  #writeIdentifiers(record: StreamRecord, start: number): void {
    const bytes = this.#bytes;
    bytes.write(record.traceId, start + TRACE_ID_AT, TRACE_ID_LENGTH, 'latin1');
    bytes.write(record.spanId, start + SPAN_ID_AT, SPAN_ID_LENGTH, 'latin1');
    if (record.parentSpanId === '') {
      bytes.fill(0, start + PARENT_SPAN_ID_AT, start + PARENT_SPAN_ID_AT + SPAN_ID_LENGTH);
    } else {
      bytes.write(record.parentSpanId, start + PARENT_SPAN_ID_AT, SPAN_ID_LENGTH, 'latin1');
    }
  }

  // The order and bounds of TEXTS, unrolled: a loop over field names would make every load a dictionary look-up.
  #writeTexts(record: StreamRecord, at: number): void {
    let next = this.#writeText(record.method, 24, at, 'latin1');
    next = this.#writeText(record.authority, 160, next, 'latin1');
    next = this.#writeText(record.path, 320, next, 'latin1');
    next = this.#writeText(record.userAgent, 128, next, 'latin1');
    next = this.#writeText(record.requestId, 64, next, 'latin1');
    next = this.#writeText(record.downstreamAddress, 64, next, 'utf8');
    next = this.#writeText(record.localAddress, 64, next, 'utf8');
    next = this.#writeText(record.listenerName, 96, next, 'utf8');
    next = this.#writeText(record.routeName, 96, next, 'utf8');
    next = this.#writeText(record.clusterName, 128, next, 'utf8');
    next = this.#writeText(record.hostAddress, 96, next, 'utf8');
    next = this.#writeText(record.responseFlags, 24, next, 'utf8');
    next = this.#writeText(record.responseCodeDetails, 96, next, 'utf8');
    next = this.#writeText(record.peerUri, 192, next, 'utf8');
    next = this.#writeText(record.requestedServerName, 64, next, 'utf8');
    const { traceState } = record;
    this.#writeText(traceState.length > MAX_TRACESTATE_BYTES ? '' : traceState, MAX_TRACESTATE_BYTES, next, 'latin1');
  }

  #writeText(text: string, maxBytes: number, at: number, encoding: 'latin1' | 'utf8'): number {
    const bytes = this.#bytes;
    const from = at + LENGTH_BYTES;
    const written = text.length <= SHORT_TEXT ? this.#writeAscii(text, maxBytes, from) : -1;
    const length = written >= 0 ? written : bytes.write(text, from, maxBytes, encoding);
    bytes[at] = length & 0xff;
    bytes[at + 1] = length >>> 8;
    return from + length;
  }

  /** Bytes written, or -1 where the text is not ASCII: a short text is copied sooner than a native call is made. */
  #writeAscii(text: string, maxBytes: number, from: number): number {
    const bytes = this.#bytes;
    const length = Math.min(text.length, maxBytes);
    for (let index = 0; index < length; index += 1) {
      const code = text.charCodeAt(index);
      if (code > 0x7f) return -1;
      bytes[from + index] = code;
    }
    return length;
  }
}
