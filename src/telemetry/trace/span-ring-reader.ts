import { NOT_GRPC, StreamRecord } from '../stream-record.ts';
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
  NUMBER,
  ORIGIN,
  PARENT_SPAN_ID_AT,
  RECORD_BYTES,
  SPAN_ID_AT,
  SPAN_ID_LENGTH,
  TAIL,
  TEXTS,
  TEXTS_AT,
  TRACE_ID_AT,
  TRACE_ID_LENGTH,
} from './span-ring-layout.ts';

/** The reading end of a ring. Belongs to one thread, as the writing end does to another. */
export class SpanRingReader {
  readonly #state: Int32Array;
  readonly #numbers: Float64Array;
  readonly #bytes: Buffer;
  readonly #mask: number;

  constructor(buffer: SharedArrayBuffer) {
    this.#state = new Int32Array(buffer, 0, HEADER_BYTES / Int32Array.BYTES_PER_ELEMENT);
    this.#numbers = new Float64Array(buffer);
    this.#bytes = Buffer.from(buffer);
    this.#mask = (buffer.byteLength - HEADER_BYTES) / RECORD_BYTES - 1;
  }

  /** Records refused because the ring was full, since it was made. */
  get dropped(): number {
    return Atomics.load(this.#state, DROPPED) >>> 0;
  }

  /** Records written and not read yet. */
  get waiting(): number {
    return (Atomics.load(this.#state, HEAD) - (this.#state[TAIL] ?? 0)) | 0;
  }

  /** Wall clock milliseconds at which the writer's clock read zero. */
  get timeOriginMs(): number {
    return this.#numbers[ORIGIN] ?? 0;
  }

  /** Hands over at most `limit` records, oldest first, each its own object; tells how many. */
  drain(limit: number, visit: (record: StreamRecord) => void): number {
    const state = this.#state;
    let tail = state[TAIL] ?? 0;
    const count = Math.min(limit, (Atomics.load(state, HEAD) - tail) | 0);
    for (let index = 0; index < count; index += 1) {
      const record = this.#read(HEADER_BYTES + (tail & this.#mask) * RECORD_BYTES);
      tail = (tail + 1) | 0;
      Atomics.store(state, TAIL, tail);
      visit(record);
    }
    return Math.max(count, 0);
  }

  #read(start: number): StreamRecord {
    const record = new StreamRecord();
    const numbers = this.#numbers;
    const at = start / Float64Array.BYTES_PER_ELEMENT;
    const number = (position: number): number => numbers[at + position] ?? 0;
    record.receivedAtMs = number(NUMBER.receivedAtMs);
    record.attemptStartedAtMs = number(NUMBER.attemptStartedAtMs);
    record.requestEndAtMs = number(NUMBER.requestEndAtMs);
    record.pickedAtMs = number(NUMBER.pickedAtMs);
    record.connectionReadyAtMs = number(NUMBER.connectionReadyAtMs);
    record.firstUpstreamByteAtMs = number(NUMBER.firstUpstreamByteAtMs);
    record.endedAtMs = number(NUMBER.endedAtMs);
    record.queueMs = number(NUMBER.queueMs);
    record.downstreamPort = number(NUMBER.downstreamPort);
    record.localPort = number(NUMBER.localPort);
    record.hostPort = number(NUMBER.hostPort);
    record.attempt = number(NUMBER.attempt);
    record.inFlightAtArrival = number(NUMBER.inFlightAtArrival);
    record.hostInFlightAtPick = number(NUMBER.hostInFlightAtPick);
    record.status = number(NUMBER.status);
    record.requestBodyBytes = number(NUMBER.requestBodyBytes);
    record.responseBodyBytes = number(NUMBER.responseBodyBytes);
    record.workerId = number(NUMBER.workerId);
    const protocol = number(NUMBER.protocol);
    record.protocol = protocol === 20 ? 20 : protocol === 10 ? 10 : 11;
    const bits = number(NUMBER.bits);
    record.direction = (bits & BIT_INBOUND) === 0 ? 'outbound' : 'inbound';
    record.scheme = (bits & BIT_HTTPS) === 0 ? 'http' : 'https';
    record.connectionReused = (bits & BIT_REUSED) !== 0;
    record.tlsVersion = (bits & BIT_TLS_13) !== 0 ? 'TLSv1.3' : (bits & BIT_TLS_12) !== 0 ? 'TLSv1.2' : '';
    record.grpcStatus = (bits >>> GRPC_STATUS_SHIFT) + NOT_GRPC;
    this.#readIdentifiers(record, start);
    this.#readTexts(record, start + TEXTS_AT);
    return record;
  }

  #readIdentifiers(record: StreamRecord, start: number): void {
    const bytes = this.#bytes;
    const identifier = (at: number, length: number): string =>
      bytes.toString('latin1', start + at, start + at + length);
    record.traceId = identifier(TRACE_ID_AT, TRACE_ID_LENGTH);
    record.spanId = identifier(SPAN_ID_AT, SPAN_ID_LENGTH);
    record.parentSpanId = bytes[start + PARENT_SPAN_ID_AT] === 0 ? '' : identifier(PARENT_SPAN_ID_AT, SPAN_ID_LENGTH);
    record.sampled = true;
  }

  #readTexts(record: StreamRecord, start: number): void {
    let at = start;
    const next = (): string => {
      const length = (this.#bytes[at] ?? 0) | ((this.#bytes[at + 1] ?? 0) << 8);
      const from = at + LENGTH_BYTES;
      at = from + length;
      return length === 0 ? '' : this.#bytes.toString('utf8', from, at);
    };
    for (const { field } of TEXTS) record[field] = next();
    record.traceState = next();
  }
}
