import { ChangedResponseHead } from '../../http/changed-head.ts';
import type { ResponseHead } from '../../http/head.ts';
import type { HeaderFields } from '../../http/header-fields.ts';
import { BodyFlow, type BodySink, type FilterChain, type FilterStream, LOCAL_REPLIES, OPEN } from '../filter/filter.ts';
import { CopiedFields } from '../pool/pool.ts';

/** The stream whose response it is. */
export interface ResponsePathOwner extends FilterStream {
  /** Counts the requests of this stream object; 0 while it is idle. */
  exchange(): number;
  /** A filter keeps the head back for now. */
  responseHeld(): void;
  writeResponseHead(head: ResponseHead): void;
  passResponseBody(buffer: Buffer, start: number, end: number): void;
  passResponseTrailers(fields: HeaderFields): void;
  finishResponse(): void;
}

/**
 * A response on its way from the router, or from ourselves, through the filters to the codec. Where no filter holds it or
 * looks at its body, bytes go straight through.
 */
export class ResponsePath implements BodySink {
  readonly #owner: ResponsePathOwner;
  #filters: FilterChain | undefined = undefined;
  #gate = OPEN;
  #isPlain = true;
  #flow: BodyFlow | undefined = undefined;
  #trailers: HeaderFields | undefined = undefined;
  /** What may wait behind a filter; the response is given up beyond it. */
  #holdBytes = 0;

  constructor(owner: ResponsePathOwner) {
    this.#owner = owner;
  }

  /** Shows the head to the filters, and writes it if they let it go. */
  begin(filters: FilterChain, head: ResponseHead): void {
    this.#filters = filters;
    this.#holdBytes = 0;
    // A 101 opens a tunnel: what follows is no body.
    this.#isPlain = filters.responseBody.length === 0 || head.status === 101;
    const exchange = this.#owner.exchange();
    this.#runFilters(filters, head, 0);
    if (this.#owner.exchange() !== exchange) return;
    if (this.#gate !== OPEN) this.#isPlain = false;
    if (this.#isPlain) return;
    this.#flow ??= new BodyFlow(this.#owner, this);
    this.#flow.begin(filters.responseBody, this.#gate);
  }

  /** The filter that held the response lets it go. */
  continue(): void {
    const { responseHead } = this.#owner;
    if (this.#gate === OPEN || this.#filters === undefined || responseHead === undefined) return;
    const exchange = this.#owner.exchange();
    this.#runFilters(this.#filters, responseHead, this.#gate + 1);
    if (this.#owner.exchange() === exchange) this.#flow?.moveGate(this.#gate);
  }

  body(buffer: Buffer, start: number, end: number): void {
    if (this.#isPlain) this.#owner.passResponseBody(buffer, start, end);
    else this.#flow?.body(buffer, start, end);
  }

  trailers(fields: HeaderFields): void {
    if (this.#isPlain) this.#owner.passResponseTrailers(fields);
    else this.#trailers = new CopiedFields(fields);
  }

  end(): void {
    if (this.#isPlain) this.#owner.finishResponse();
    else this.#flow?.end(this.#trailers);
  }

  /** All of a body that we made, and its end. */
  bodyText(text: string): void {
    const exchange = this.#owner.exchange();
    const bytes = Buffer.from(text, 'utf8');
    if (bytes.length > 0) this.body(bytes, 0, bytes.length);
    if (this.#owner.exchange() === exchange) this.end();
  }

  /** The exchange is over. */
  clear(): void {
    if (this.#isPlain) return;
    this.#flow?.clear();
    this.#trailers = undefined;
  }

  holdUpTo(bytes: number): void {
    this.#holdBytes = bytes;
  }

  exchange(): number {
    return this.#owner.exchange();
  }

  passBody(buffer: Buffer, start: number, end: number): void {
    this.#owner.passResponseBody(buffer, start, end);
  }

  passEnd(trailers: HeaderFields | undefined): void {
    if (trailers !== undefined) this.#owner.passResponseTrailers(trailers);
    this.#owner.finishResponse();
  }

  held(bytes: number): void {
    if (bytes > this.#holdBytes) this.#owner.sendLocalReply(LOCAL_REPLIES.responsePayloadTooLarge, '');
  }

  #runFilters(filters: FilterChain, head: ResponseHead, from: number): void {
    const owner = this.#owner;
    const exchange = owner.exchange();
    const gate = filters.runResponseHead(owner, head, from);
    if (owner.exchange() !== exchange) return;
    this.#gate = head.status === 101 ? OPEN : gate;
    const ready = owner.responseHead ?? head;
    if (this.#gate === OPEN) owner.writeResponseHead(ready);
    else {
      // Lent only until its connection serves another.
      owner.responseHead = new ChangedResponseHead(ready, { fields: new CopiedFields(ready.fields) });
      owner.responseHeld();
    }
  }
}
