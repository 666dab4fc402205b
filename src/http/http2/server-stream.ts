import { type ResponseHead, UNKNOWN_LENGTH } from '../head.ts';
import type { HeaderEdits } from '../header-edits.ts';
import type { HpackEncoder } from './hpack/hpack-encoder.ts';
import type { Http2RequestHead } from './http2-heads.ts';
import { Http2Stream, type StreamHost } from './stream.ts';
import type { Http2StreamSink } from './stream-sink.ts';
import { type Http2ResponseFraming, writeLocalResponseHead, writeResponseHead } from './write-head.ts';

/** The server connection as its streams see it. */
export interface ServerStreamHost extends StreamHost {
  readonly encoder: HpackEncoder;
  /** The owner's work for a stream is over, and the stream is closed: its place is free. */
  onStreamReleased(): void;
}

const SWITCHING_PROTOCOLS = 101;

/** One request and its response, as the server sees them. Its owner calls `release` when its own work has ended. */
export class Http2ServerStream extends Http2Stream {
  readonly head: Http2RequestHead;
  readonly #serverHost: ServerStreamHost;
  #isReleased = false;
  #holdsPlace = true;

  constructor(
    id: number,
    host: ServerStreamHost,
    sink: Http2StreamSink,
    sendWindow: number,
    head: Http2RequestHead,
    declaredBytes: number,
  ) {
    super(id, host, sink, sendWindow);
    this.head = head;
    this.#serverHost = host;
    this.declaredBytes = declaredBytes;
  }

  /** Hands the stream to whoever will take its body. */
  attach(sink: Http2StreamSink): void {
    this.sink = sink;
  }

  /** Sends a 1xx response other than 101. Throws NonCanonicalHeadError where an edit cannot be written. */
  sendInformational(head: ResponseHead, edits: HeaderEdits): void {
    if (!this.canSend) return;
    const framing = { status: head.status, bodyLength: 0 };
    const { encoder, output } = this.#serverHost;
    writeResponseHead(encoder, output, this.id, head, edits, framing, false);
  }

  /**
   * Sends the response's head; `end`, or a body and `end`, follow. A 101 grants the upgrade that `head.upgrade` asked for,
   * and what follows is a tunnel. Throws as above.
   */
  sendHead(head: ResponseHead, edits: HeaderEdits, framing: Http2ResponseFraming): void {
    if (!this.canSend) return;
    const isUpgrade = this.#isUpgrade(framing.status);
    const { encoder, output } = this.#serverHost;
    this.writer.noteHead(writeResponseHead(encoder, output, this.id, head, edits, framing, isUpgrade));
  }

  /** Sends the head of an answer we make ourselves. `pairs` is flat: lower-case name, value, … Throws as above. */
  sendLocalHead(status: number, pairs: readonly string[], bodyLength: number): void {
    if (!this.canSend) return;
    const { encoder, output } = this.#serverHost;
    const isUpgrade = this.#isUpgrade(status);
    const sent = isUpgrade ? 200 : status;
    const length = isUpgrade ? UNKNOWN_LENGTH : bodyLength;
    this.writer.noteHead(writeLocalResponseHead(encoder, output, this.id, sent, pairs, length));
  }

  /**
   * The owner's work for this stream, upstream included, has ended. Only now, and when the stream is closed too, does it
   * stop counting as concurrent: a client that resets streams does not thereby get more work done (CVE-2023-44487).
   */
  override release(): void {
    super.release();
    this.#isReleased = true;
    this.#freePlace();
  }

  /** The connection's side: the stream has closed. */
  onWireClosed(): void {
    this.#freePlace();
  }

  #isUpgrade(status: number): boolean {
    if (status !== SWITCHING_PROTOCOLS) return false;
    if (this.head.upgrade !== '') return true;
    throw new Error(`HTTP/2 has no 101: stream ${this.id} asked for no upgrade; answer with another status`);
  }

  #freePlace(): void {
    if (!this.#holdsPlace || !this.#isReleased || !this.isClosed) return;
    this.#holdsPlace = false;
    this.#serverHost.onStreamReleased();
  }
}
