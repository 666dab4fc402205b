import { type Http2Fault, STREAM_FAULTS } from './faults.ts';
import type { Http2ResponseHead } from './http2-heads.ts';
import type { RequestForm } from './interpret-response.ts';
import { Http2Stream, type StreamHost } from './stream.ts';
import type { Http2ResponseSink } from './stream-sink.ts';

const SWITCHING_PROTOCOLS = 101;

/** One request and its response, as the client sees them. */
export class Http2ClientStream extends Http2Stream {
  /** What of the request decides how the response is read. */
  readonly form: RequestForm;
  readonly #responseSink: Http2ResponseSink;
  #hasHead = false;
  #informational = 0;

  constructor(id: number, host: StreamHost, sink: Http2ResponseSink, sendWindow: number, form: RequestForm) {
    super(id, host, sink, sendWindow);
    this.#responseSink = sink;
    this.form = form;
  }

  /** The final head has come. */
  get hasHead(): boolean {
    return this.#hasHead;
  }

  // What follows is the connection's side.

  noteHead(frameAt: number): void {
    this.writer.noteHead(frameAt);
  }

  /** Takes a head; END_STREAM is told separately. Answers the fault in it. */
  receiveHead(head: Http2ResponseHead): Http2Fault | undefined {
    if (head.status < 200 && head.status !== SWITCHING_PROTOCOLS) {
      this.#informational += 1;
      if (this.#informational > this.host.limits.maxInformationalResponses) return STREAM_FAULTS.tooManyInformational;
      this.#responseSink.onInformational(head);
      return undefined;
    }
    this.#hasHead = true;
    this.declaredBytes = head.bodyLength;
    this.#responseSink.onResponseHead(head);
    return undefined;
  }
}
