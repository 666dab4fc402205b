import {
  type ByteStream,
  type ByteStreamUser,
  Deadline,
  type DeadlineOwner,
  type EventTurn,
  type TlsCounters,
} from '../../transport-socket/transport-socket.ts';
import type { DownstreamTransport } from './downstream-transport.ts';

/** The listener that accepted the connection. Exactly one of the two is called, once. */
export interface HandshakeOwner {
  /** The stream is paused, its peer verified. */
  secured(handshake: DownstreamHandshake, stream: ByteStream): void;
  /** `reason` says why, in one line without control characters; '' where we ended it ourselves. */
  handshakeFailed(handshake: DownstreamHandshake, reason: string): void;
}

/** A connection between the choice of its filter chain and the first byte of its application: TLS is being agreed on. */
export class DownstreamHandshake implements ByteStreamUser, DeadlineOwner {
  /** Address and port: a socket that is closed no longer tells. */
  readonly peer: string;
  readonly #turn: EventTurn;
  readonly #transport: DownstreamTransport;
  readonly #stream: ByteStream;
  readonly #owner: HandshakeOwner;
  readonly #counters: TlsCounters;
  readonly #deadline: Deadline = new Deadline(this);
  #isOver = false;

  constructor(
    turn: EventTurn,
    transport: DownstreamTransport,
    stream: ByteStream,
    owner: HandshakeOwner,
    counters: TlsCounters,
  ) {
    this.peer = `${stream.remoteAddress}:${stream.remotePort}`;
    this.#turn = turn;
    this.#transport = transport;
    this.#stream = stream;
    this.#owner = owner;
    this.#counters = counters;
  }

  start(): void {
    const { context, alpn, handshakeTimeoutMs } = this.#transport;
    this.#stream.user = this;
    this.#turn.deadlines.schedule(this.#deadline, this.#turn.nowMs + handshakeTimeoutMs);
    this.#stream.secure({ compiled: context.current(), alpn, counters: this.#counters });
  }

  destroy(): void {
    this.#stream.destroy();
    this.#fail('');
  }

  onConnected(): void {
    this.#finish();
    this.#owner.secured(this, this.#stream);
  }

  onBytes(): void {
    // None come before the handshake is over, and then they are somebody else's.
  }

  onPeerFinished(): void {
    this.#stream.destroy();
  }

  onWritable(): void {
    // Nothing is written here.
  }

  onClosed(errorCode: string): void {
    this.#fail(plain(this.#stream.tlsFailure?.message ?? errorCode));
  }

  onDeadline(): void {
    this.#counters.handshakeTimeout.increment();
    this.#stream.destroy();
    this.#fail(`no handshake within ${this.#transport.handshakeTimeoutMs} ms`);
  }

  #fail(reason: string): void {
    if (this.#isOver) return;
    this.#finish();
    this.#owner.handshakeFailed(this, reason);
  }

  #finish(): void {
    this.#isOver = true;
    this.#turn.deadlines.remove(this.#deadline);
  }
}

/** It may hold names that the peer has chosen: one line, printable. */
function plain(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 500);
}
