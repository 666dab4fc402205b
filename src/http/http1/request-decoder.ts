import { BodyReader } from './body-reader.ts';
import { CR, LF } from './byte-class.ts';
import type { Http1Fault, Http1Limits, Http1RequestSink } from './contract.ts';
import { FAULTS } from './faults.ts';
import { FieldScanner } from './field-scanner.ts';
import { Http1RequestHead } from './request-head.ts';
import { RequestLineScanner } from './request-line.ts';
import { SectionReader } from './section-reader.ts';

/** Empty lines a client may send before a request (RFC 9112 §2.2). */
const MAX_EMPTY_LINES = 2;

type State = 'between' | 'head' | 'body' | 'closing' | 'stopped';

/**
 * Requests of one connection, in order:
 *
 *     between ─byte─► head ─empty line─► body ─last byte─► between, or closing where the client asked to close
 *     any ─fault or stop()─► stopped
 *
 * Bytes in any cut give the same calls, but for where body slices begin and end.
 */
export class Http1RequestDecoder {
  /** Why the connection's bytes are refused from here on. */
  fault: Http1Fault | undefined = undefined;
  readonly #sink: Http1RequestSink;
  readonly #limits: Http1Limits;
  readonly #head: Http1RequestHead;
  readonly #line: RequestLineScanner;
  readonly #fields: FieldScanner;
  readonly #section: SectionReader;
  readonly #body: BodyReader;
  #state: State = 'between';
  #isPaused = false;
  #isDecoding = false;
  #emptyLines = 0;
  #sawCr = false;

  /** `scheme` is what the connection itself is, not what a client's absolute target claims. */
  constructor(sink: Http1RequestSink, limits: Http1Limits, scheme: 'http' | 'https' = 'http') {
    this.#sink = sink;
    this.#limits = limits;
    this.#head = new Http1RequestHead(scheme);
    this.#line = new RequestLineScanner(limits);
    this.#fields = new FieldScanner(this.#head.fields, limits);
    this.#section = new SectionReader(this.#line, this.#fields, limits.maxHeadBytes, FAULTS.headTooLarge);
    this.#body = new BodyReader(limits);
  }

  /** No request is being received: closing after the answers that are due loses nothing. */
  get isIdle(): boolean {
    return (this.#state === 'between' && !this.#sawCr) || this.#state === 'closing';
  }

  /** Whether the client lets the connection live on after the last head seen. */
  get keepAlive(): boolean {
    return this.#head.keepAlive;
  }

  /** Decodes bytes [start, end) of `buffer`; answers how many were used. The rest stays with the caller. */
  decode(buffer: Buffer, start: number, end: number): number {
    let position = start;
    this.#isDecoding = true;
    while (position < end) {
      if (this.#state === 'between') {
        if (this.#isPaused) break;
        position = this.#skipEmptyLines(buffer, position, end);
      } else if (this.#state === 'head') position = this.#readHead(buffer, position, end);
      else if (this.#state === 'body') position = this.#readBody(buffer, position, end);
      else break;
    }
    this.#isDecoding = false;
    return position - start;
  }

  /** Takes no further request until `resume`; the one being read is read to its end. */
  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
  }

  /** Calls the sink no more, whatever bytes follow: the connection is being closed. Allowed inside a sink call. */
  stop(): void {
    this.#state = 'stopped';
  }

  /** The client sends no more. A request cut off becomes a fault. */
  finish(): void {
    if (this.#state === 'head') this.#refuse(FAULTS.truncatedHead);
    else if (this.#state === 'body') this.#refuse(FAULTS.truncatedBody);
  }

  /** Ready for a new connection. Never inside a sink call: the bytes in hand belong to the old one. */
  reset(): void {
    if (this.#isDecoding) throw new Error('Http1RequestDecoder.reset() inside a sink call: call stop() there instead');
    this.fault = undefined;
    this.#state = 'between';
    this.#isPaused = false;
    this.#emptyLines = 0;
    this.#sawCr = false;
    this.#head.fields.clear();
  }

  #skipEmptyLines(buffer: Buffer, start: number, end: number): number {
    let position = start;
    while (position < end) {
      const byte = buffer[position] as number;
      if (this.#sawCr) {
        if (byte !== LF) return this.#refuseAt(FAULTS.bareCr, position);
        this.#sawCr = false;
        this.#emptyLines += 1;
      } else if (byte === CR) {
        if (this.#emptyLines === MAX_EMPTY_LINES) return this.#refuseAt(FAULTS.tooManyEmptyLines, position);
        this.#sawCr = true;
      } else {
        this.#emptyLines = 0;
        this.#section.begin();
        this.#state = 'head';
        return position;
      }
      position += 1;
    }
    return position;
  }

  #readHead(buffer: Buffer, start: number, end: number): number {
    const stopped = this.#section.read(buffer, start, end);
    if (this.#section.fault !== undefined) return this.#refuseAt(this.#section.fault, stopped);
    if (!this.#section.isDone) return end;
    const fault = this.#head.interpret(this.#line, this.#fields, this.#limits);
    if (fault !== undefined) return this.#refuseAt(fault, stopped);
    this.#body.begin(this.#head.framing, this.#head.bodyLength);
    this.#state = 'body';
    this.#sink.onRequestHead(this.#head);
    this.#endIfComplete();
    return stopped;
  }

  #readBody(buffer: Buffer, start: number, end: number): number {
    const body = this.#body;
    const stopped = body.step(buffer, start, end);
    if (body.fault !== undefined) return this.#refuseAt(body.fault, stopped);
    if (body.dataEnd > body.dataStart) this.#sink.onRequestBody(buffer, body.dataStart, body.dataEnd);
    this.#endIfComplete();
    return stopped;
  }

  #endIfComplete(): void {
    if (this.#state !== 'body' || !this.#body.isEnded) return;
    const trailers = this.#body.trailers;
    if (trailers !== undefined) this.#sink.onRequestTrailers(trailers);
    if (this.#isStopped()) return;
    // After a request that closes, whatever follows is not HTTP of ours to read (RFC 9112 §9.6).
    this.#state = this.#head.keepAlive ? 'between' : 'closing';
    this.#sink.onRequestEnd();
  }

  /** The sink may have stopped us, which the compiler cannot see. */
  #isStopped(): boolean {
    return this.#state === 'stopped';
  }

  #refuseAt(fault: Http1Fault, position: number): number {
    this.#refuse(fault);
    return position;
  }

  #refuse(fault: Http1Fault): void {
    this.fault = fault;
    this.#state = 'stopped';
  }
}
