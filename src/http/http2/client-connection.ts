import type { RequestHead } from '../head.ts';
import type { HeaderEdits } from '../header-edits.ts';
import { Http2ClientStream } from './client-stream.ts';
import { Http2Connection } from './connection.ts';
import type { Http2ConnectionSink } from './connection-core.ts';
import { CONNECTION_FAULTS, type Http2Fault, STREAM_FAULTS } from './faults.ts';
import { CLIENT_PREFACE, FIRST_WINDOW_BYTES, MAX_STREAM_ID } from './frame.ts';
import { HeadMemo } from './head-memo.ts';
import { Http2ResponseHead } from './http2-heads.ts';
import { interpretResponse, type RequestForm } from './interpret-response.ts';
import type { Http2Limits } from './limits.ts';
import type { Http2Output } from './output.ts';
import { clientSettings } from './settings.ts';
import type { Http2Stream } from './stream.ts';
import type { Http2ResponseSink } from './stream-sink.ts';
import { type Http2RequestLine, writeRequestHead } from './write-head.ts';

/** Whoever sends requests on a connection. */
export interface Http2ClientSink extends Http2ConnectionSink {
  /** `canOpen` may have changed: settings came, or a stream has closed. */
  onCapacity(): void;
  /** The peer takes no new streams. Those it never saw have been told; onDrained follows when the rest have ended. */
  onPeerDraining(code: number): void;
}

const FORMS: readonly RequestForm[] = ['ordinary', 'head', 'connect', 'upgrade'];

/** The client's end of one HTTP/2 connection; the counterpart of Http2ServerConnection. */
export class Http2ClientConnection extends Http2Connection {
  readonly #sink: Http2ClientSink;
  readonly #memo = new HeadMemo<Http2ResponseHead>();
  #nextStreamId = 1;

  constructor(sink: Http2ClientSink, output: Http2Output, limits: Http2Limits, nowMs: number) {
    super(sink, output, limits, nowMs, true);
    this.#sink = sink;
    output.raw(CLIENT_PREFACE);
    output.settings(clientSettings(limits));
    const wider = limits.connectionWindowBytes - FIRST_WINDOW_BYTES;
    if (wider > 0) output.windowUpdate(0, wider);
  }

  /** Streams that may be open at once: the peer's word and ours. */
  get maxConcurrentStreams(): number {
    return Math.min(this.limits.maxConcurrentStreams, this.peer.maxConcurrentStreams);
  }

  get canOpen(): boolean {
    return (
      this.fault === undefined &&
      !this.isClosing &&
      this.#nextStreamId <= MAX_STREAM_ID &&
      this.streams.size < this.maxConcurrentStreams
    );
  }

  /** Whether the peer takes an extended CONNECT (RFC 8441): before its settings have come it does not. */
  get allowsExtendedConnect(): boolean {
    return this.peer.allowsExtendedConnect;
  }

  /**
   * Sends a request's head; a body, and `end`, follow on the stream. Only where `canOpen`. Throws NonCanonicalHeadError, with
   * nothing sent, where an edit or a rewrite cannot be written.
   */
  open(
    head: RequestHead,
    edits: HeaderEdits,
    line: Http2RequestLine,
    bodyLength: number,
    sink: Http2ResponseSink,
  ): Http2ClientStream {
    if (!this.canOpen) throw new Error('HTTP/2 stream opened on a connection that has no room: ask canOpen first');
    if (line.upgrade !== '' && !this.allowsExtendedConnect) {
      throw new Error('HTTP/2 upgrade on a connection whose peer takes none: ask allowsExtendedConnect first');
    }
    const id = this.#nextStreamId;
    const at = writeRequestHead(this.encoder, this.output, id, head, edits, line, bodyLength);
    this.#nextStreamId = id + 2;
    this.closedStreams.open(id);
    this.guard.streamsOpened += 1;
    const stream = new Http2ClientStream(id, this, sink, this.peer.initialWindowBytes, formOf(line));
    stream.noteHead(at);
    this.streams.add(stream);
    return stream;
  }

  /** Opens nothing more; onDrained follows when the last stream has ended. */
  drain(): void {
    if (this.isClosing || this.fault !== undefined) return;
    this.isClosing = true;
    this.tellIfDrained();
  }

  override onStreamGone(): void {
    super.onStreamGone();
    if (this.fault === undefined) this.#sink.onCapacity();
  }

  protected override get lastPeerStreamId(): number {
    return 0;
  }

  protected override readPreface(_buffer: Buffer, start: number, _end: number): number {
    return start;
  }

  protected override isIdle(streamId: number): boolean {
    return (streamId & 1) === 0 || streamId >= this.#nextStreamId;
  }

  protected override onPeerSettings(): void {
    this.#sink.onCapacity();
  }

  protected override takeGoAway(lastStreamId: number, code: number): void {
    this.isClosing = true;
    const { reason } = STREAM_FAULTS.notProcessed;
    for (const stream of this.streams.snapshot()) {
      // RFC 9113 §6.8, §8.7: the server has not looked at these and will not.
      if (stream.id > lastStreamId) stream.abandon({ code, reason, isByPeer: true, isUnprocessed: true });
    }
    this.#sink.onPeerDraining(code);
    this.tellIfDrained();
  }

  protected override notePeerReset(): void {
    // A server that resets what we asked for causes no work that we did not ask for.
  }

  protected override faultOfData(stream: Http2Stream): Http2Fault | undefined {
    return stream instanceof Http2ClientStream && !stream.hasHead ? STREAM_FAULTS.dataBeforeHead : undefined;
  }

  protected override takeBlock(
    streamId: number,
    endStream: boolean,
    _dependsOnItself: boolean,
    buffer: Buffer,
    start: number,
    end: number,
  ): void {
    const stream = this.streams.get(streamId);
    if (stream instanceof Http2ClientStream) {
      if (stream.hasHead) this.takeTrailers(stream, endStream, buffer, start, end);
      else this.#takeResponse(stream, endStream, buffer, start, end);
    } else if (this.isIdle(streamId)) this.fail(CONNECTION_FAULTS.idleStream);
    else this.takeBlockOfClosed(streamId, buffer, start, end);
  }

  #takeResponse(stream: Http2ClientStream, endStream: boolean, buffer: Buffer, start: number, end: number): void {
    const head = this.#readHead(stream.form, endStream, buffer, start, end);
    if (head === undefined) return;
    if (!(head instanceof Http2ResponseHead)) {
      this.failStream(stream, head);
      return;
    }
    const fault =
      stream.receiveHead(head) ?? (endStream && !stream.isClosed ? stream.receiveEnd(undefined) : undefined);
    if (fault !== undefined) this.failStream(stream, fault);
  }

  /** Undefined where the connection has failed. */
  #readHead(
    form: RequestForm,
    endStream: boolean,
    buffer: Buffer,
    start: number,
    end: number,
  ): Http2ResponseHead | Http2Fault | undefined {
    const { table } = this.decoder;
    const { version } = table;
    const variant = FORMS.indexOf(form) * 2 + (endStream ? 1 : 0);
    const known = this.#memo.find(buffer, start, end, variant, version);
    if (known !== undefined) return known;
    if (!this.decodeBlock('response', buffer, start, end)) return undefined;
    const head = interpretResponse(this.draft, endStream, form);
    if (head instanceof Http2ResponseHead && table.version === version) {
      this.#memo.remember(buffer, start, end, variant, version, head);
    }
    return head;
  }
}

function formOf(line: Http2RequestLine): RequestForm {
  if (line.upgrade !== '') return 'upgrade';
  if (line.method === 'CONNECT') return 'connect';
  return line.method === 'HEAD' ? 'head' : 'ordinary';
}
