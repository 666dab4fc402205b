import { BodyReader } from './body-reader.ts';
import type { Http1Fault, Http1Limits, Http1ResponseSink } from './contract.ts';
import { asUpstreamFault, FAULTS } from './faults.ts';
import { FieldScanner } from './field-scanner.ts';
import { Http1ResponseHead, type ResponseExpectation } from './response-head.ts';
import { SectionReader } from './section-reader.ts';
import { StatusLineScanner } from './status-line.ts';

/** Envoy's bound is the same kind: an upstream may not feed 1xx for ever. */
const MAX_INFORMATIONAL = 16;

type State = 'idle' | 'head' | 'body' | 'tunnel' | 'stopped';

/**
 * Responses of one upstream connection, one for each `expect`:
 *
 *     idle ─expect()─► head ─1xx─► head        head ─► body ─last byte─► idle        head ─101, CONNECT 2xx─► tunnel
 *     any ─fault or stop()─► stopped           idle ─any byte─► stopped
 */
export class Http1ResponseDecoder {
  /** Why the connection must be closed. Already set when `onResponseEnd` is called where surplus bytes follow. */
  fault: Http1Fault | undefined = undefined;
  readonly #sink: Http1ResponseSink;
  readonly #head = new Http1ResponseHead();
  readonly #line = new StatusLineScanner();
  readonly #fields: FieldScanner;
  readonly #section: SectionReader;
  readonly #body: BodyReader;
  readonly #expected: ResponseExpectation = { method: '', upgrade: '' };
  #state: State = 'idle';
  #isDecoding = false;
  #hasBytes = false;
  #informational = 0;

  constructor(sink: Http1ResponseSink, limits: Http1Limits) {
    this.#sink = sink;
    // What is done with underscores is a policy about clients, as in Envoy; aliases of framing names are refused all the same.
    const ours: Http1Limits = { ...limits, headersWithUnderscores: 'allow' };
    this.#fields = new FieldScanner(this.#head.fields, ours);
    this.#section = new SectionReader(this.#line, this.#fields, limits.maxHeadBytes, FAULTS.headTooLarge);
    this.#body = new BodyReader(ours);
  }

  /** Nothing is expected and nothing was refused: the connection may carry a request. */
  get isIdle(): boolean {
    return this.#state === 'idle';
  }

  /** No byte of the expected response has arrived. */
  get isUnanswered(): boolean {
    return this.#state === 'head' && !this.#hasBytes;
  }

  /** The connection is no longer HTTP: bytes that `decode` leaves belong to the tunnel. */
  get isTunnel(): boolean {
    return this.#state === 'tunnel';
  }

  /** A request is being sent; its answer comes next. One at a time. `upgrade` is the protocol it asks to switch to. */
  expect(requestMethod: string, upgrade = ''): void {
    if (this.#state !== 'idle') {
      throw new Error(`Http1ResponseDecoder.expect() while ${this.#state}: lend a connection only while isIdle`);
    }
    this.#expected.method = requestMethod;
    this.#expected.upgrade = upgrade;
    this.#informational = 0;
    this.#beginHead();
  }

  /** Decodes bytes [start, end) of `buffer`; answers how many were used. */
  decode(buffer: Buffer, start: number, end: number): number {
    let position = start;
    this.#isDecoding = true;
    while (position < end) {
      if (this.#state === 'head') position = this.#readHead(buffer, position, end);
      else if (this.#state === 'body') position = this.#readBody(buffer, position, end);
      else {
        // A response nobody asked for must never meet a later request (RFC 9112 §9.2).
        if (this.#state === 'idle') this.#refuse(FAULTS.unexpectedBytes);
        break;
      }
    }
    this.#isDecoding = false;
    return position - start;
  }

  /** Calls the sink no more. Allowed inside a sink call. */
  stop(): void {
    this.#state = 'stopped';
  }

  /** The upstream sends no more: ends a body that lasts until then; anything else cut off becomes a fault. */
  finish(): void {
    if (this.#state === 'head') {
      this.#refuse(this.#hasBytes ? FAULTS.truncatedHead : FAULTS.closedBeforeResponse);
    } else if (this.#state === 'body') {
      if (!this.#body.endsAtClose) this.#refuse(FAULTS.truncatedBody);
      else {
        this.#state = 'stopped';
        this.#sink.onResponseEnd();
      }
    } else if (this.#state === 'idle') this.#state = 'stopped';
  }

  /** Ready for a new connection. Never inside a sink call. */
  reset(): void {
    if (this.#isDecoding) throw new Error('Http1ResponseDecoder.reset() inside a sink call: call stop() there instead');
    this.fault = undefined;
    this.#state = 'idle';
    this.#head.fields.clear();
  }

  #beginHead(): void {
    this.#section.begin();
    this.#hasBytes = false;
    this.#state = 'head';
  }

  #readHead(buffer: Buffer, start: number, end: number): number {
    this.#hasBytes = true;
    const stopped = this.#section.read(buffer, start, end);
    if (this.#section.fault !== undefined) return this.#refuseAt(this.#section.fault, stopped);
    if (!this.#section.isDone) return end;
    const head = this.#head;
    const fault = head.interpret(this.#line, this.#fields, this.#expected);
    if (fault !== undefined) return this.#refuseAt(fault, stopped);
    if (head.isInformational) return this.#passInformational(stopped);
    if (head.isTunnel) {
      this.#state = 'tunnel';
      this.#sink.onResponseHead(head);
      return stopped;
    }
    this.#body.begin(head.framing, head.bodyLength);
    this.#state = 'body';
    this.#sink.onResponseHead(head);
    this.#endIfComplete(stopped, end);
    return stopped;
  }

  #passInformational(stopped: number): number {
    this.#informational += 1;
    if (this.#informational > MAX_INFORMATIONAL) return this.#refuseAt(FAULTS.tooManyInformational, stopped);
    this.#sink.onInformational(this.#head);
    if (this.#state === 'head') {
      this.#beginHead();
      this.#hasBytes = true;
    }
    return stopped;
  }

  #readBody(buffer: Buffer, start: number, end: number): number {
    const body = this.#body;
    const stopped = body.step(buffer, start, end);
    if (body.fault !== undefined) return this.#refuseAt(body.fault, stopped);
    if (body.dataEnd > body.dataStart) this.#sink.onResponseBody(buffer, body.dataStart, body.dataEnd);
    this.#endIfComplete(stopped, end);
    return stopped;
  }

  #endIfComplete(position: number, end: number): void {
    if (this.#state !== 'body' || !this.#body.isEnded) return;
    const trailers = this.#body.trailers;
    if (trailers !== undefined) this.#sink.onResponseTrailers(trailers);
    if (this.#isStopped()) return;
    // Refused before the end is told, so that nobody reuses the connection from within the call.
    if (position < end) this.#refuse(FAULTS.unexpectedBytes);
    else this.#state = 'idle';
    this.#sink.onResponseEnd();
  }

  #isStopped(): boolean {
    return this.#state === 'stopped';
  }

  #refuseAt(fault: Http1Fault, position: number): number {
    this.#refuse(fault);
    return position;
  }

  #refuse(fault: Http1Fault): void {
    this.fault = asUpstreamFault(fault);
    this.#state = 'stopped';
  }
}
