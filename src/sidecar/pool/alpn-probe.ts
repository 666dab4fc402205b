import {
  ByteStream,
  type ByteStreamUser,
  Deadline,
  type DeadlineOwner,
  type DialTarget,
  type EventTurn,
} from '../../transport-socket/transport-socket.ts';
import type { PoolOptions } from './pool-limits.ts';
import { dialledTls, EITHER_ALPN } from './pool-tls.ts';

/** Exactly one of the two is called, once. */
export interface ProbeOwner {
  /** The stream is the owner's, who gives it a user before anything else happens. */
  probeConnected(stream: ByteStream): void;
  probeFailed(failure: 'connectFailure' | 'connectTimeout', detail: string): void;
}

/** The first connection to a host that may speak either protocol: ALPN says whose it will be. */
export class AlpnProbe implements ByteStreamUser, DeadlineOwner {
  readonly #turn: EventTurn;
  readonly #owner: ProbeOwner;
  readonly #stream: ByteStream;
  readonly #deadline: Deadline = new Deadline(this);
  #isOver = false;

  constructor(turn: EventTurn, owner: ProbeOwner, options: PoolOptions, target: DialTarget) {
    this.#turn = turn;
    this.#owner = owner;
    const { highWaterMarkBytes, connectTimeoutMs } = options;
    // What is configured for one protocol would decide what is to be found out.
    const tls = dialledTls(options.tls === undefined ? undefined : { ...options.tls, alpn: EITHER_ALPN }, EITHER_ALPN);
    this.#stream = ByteStream.connect(turn, { target, highWaterMarkBytes, tls }, this);
    turn.deadlines.schedule(this.#deadline, turn.nowMs + connectTimeoutMs);
  }

  /** The owner hears nothing more. */
  destroy(): void {
    this.#finish();
    this.#stream.destroy();
  }

  onConnected(): void {
    this.#finish();
    this.#owner.probeConnected(this.#stream);
  }

  onBytes(): void {
    // None come before the handshake is over.
  }

  onPeerFinished(): void {
    this.#stream.destroy();
  }

  onWritable(): void {
    // Nothing is written here.
  }

  onClosed(errorCode: string): void {
    if (this.#isOver) return;
    this.#finish();
    this.#owner.probeFailed('connectFailure', errorCode);
  }

  onDeadline(): void {
    this.#finish();
    this.#stream.destroy();
    this.#owner.probeFailed('connectTimeout', 'connect_timeout');
  }

  #finish(): void {
    this.#isOver = true;
    this.#turn.deadlines.remove(this.#deadline);
  }
}
