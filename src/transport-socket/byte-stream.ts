import net from 'node:net';
import type { Address } from '../resource/address.ts';
import type { EventTurn } from './event-turn.ts';
import { latin1Text } from './latin1.ts';
import { adoptForLentReads } from './lent-reads.ts';

/** Whoever owns a byte stream. All calls come inside a turn. */
export interface ByteStreamUser {
  /** Dialled streams only: the peer answered; writing may begin. */
  onConnected(): void;
  /** Bytes lent until the call returns. */
  onBytes(buffer: Buffer, start: number, end: number): void;
  /** The peer will send no more (FIN). It may still read. */
  onPeerFinished(): void;
  /** Output that had passed the watermark has drained. */
  onWritable(): void;
  /** Exactly once, last. `errorCode` is '' for an orderly end, else the system's word (`ECONNRESET` …). */
  onClosed(errorCode: string): void;
}

export interface ConnectOptions {
  readonly address: Address;
  /** Bytes of unsent output at which isBackedUp turns true. */
  readonly highWaterMarkBytes: number;
}

/** Below this a body joins the head as text in one string and one write; above it bytes are copied as bytes. */
const LARGEST_TEXT_PIECE_BYTES = 8_192;

/**
 * One socket. Output is gathered during the turn as latin1 text and written once when the turn ends. Reads come into the
 * worker's shared buffer. Closing is `finish()` (send what is queued, then FIN), `destroy()` (now) or `reset()` (now, and
 * the peer must notice).
 */
export class ByteStream {
  readonly #turn: EventTurn;
  readonly #socket: net.Socket;
  #user: ByteStreamUser;
  #text = '';
  #isDirty = false;
  #isPaused = false;
  #finishAfterFlush = false;
  #isFinished = false;
  #isClosed = false;
  /** Told to close, by us or by an error; the socket's own getter is too dear to ask for each request. */
  #isDestroyed = false;
  #peerFinished = false;
  #errorCode = '';
  #backedUp = false;
  /** Copies that the kernel has not taken yet; at most the watermark and one read's worth. */
  #unsentCopies: Buffer[] = [];
  /** Bytes handed to the socket since it was opened: shows whether anything of a message has left. */
  flushedBytes = 0;
  receivedBytes = 0;

  private constructor(turn: EventTurn, user: ByteStreamUser, open: (self: ByteStream) => net.Socket) {
    this.#turn = turn;
    this.#user = user;
    this.#socket = open(this);
    const socket = this.#socket;
    socket.on('end', () => this.#onEnd());
    socket.on('drain', () => this.#onDrain());
    socket.on('error', (error) => this.#onError(error));
    socket.on('close', () => this.#onClose());
  }

  /** Takes over a socket that a server with `pauseOnConnect` and `allowHalfOpen` accepted. Reading starts with resume(). */
  static accept(turn: EventTurn, socket: net.Socket, user: ByteStreamUser, highWaterMarkBytes: number): ByteStream {
    return new ByteStream(turn, user, (self) => {
      const onread = (length: number): boolean => self.#onLent(length);
      const adopted = adoptForLentReads(socket, turn.readBuffer, highWaterMarkBytes, onread);
      if (adopted !== undefined) return adopted;
      socket.on('data', (bytes: Buffer) => self.#onBytes(bytes, bytes.length));
      return socket;
    }).#held();
  }

  static connect(turn: EventTurn, options: ConnectOptions, user: ByteStreamUser): ByteStream {
    return new ByteStream(turn, user, (self) => {
      const onread = { buffer: turn.readBuffer, callback: (length: number): boolean => self.#onLent(length) };
      const { address } = options;
      const target = address.kind === 'pipe' ? { path: address.path } : { host: address.host, port: address.port };
      const tuning = { noDelay: true, allowHalfOpen: true, highWaterMark: options.highWaterMarkBytes, onread };
      const socket = net.connect({ ...target, ...tuning });
      socket.once('connect', () => self.#enter(() => self.#user.onConnected()));
      return socket;
    });
  }

  /** Hands the stream to another owner, for example a tunnel. */
  set user(user: ByteStreamUser) {
    this.#user = user;
  }

  get isClosed(): boolean {
    return this.#isClosed || this.#isDestroyed;
  }

  get peerFinished(): boolean {
    return this.#peerFinished;
  }

  /** True from the moment unsent output passes the watermark until it has drained. */
  get isBackedUp(): boolean {
    return this.#backedUp;
  }

  get unsentBytes(): number {
    return this.#socket.writableLength + this.#text.length;
  }

  get remoteAddress(): string {
    return this.#socket.remoteAddress ?? '';
  }

  get remotePort(): number {
    return this.#socket.remotePort ?? 0;
  }

  get localAddress(): string {
    return this.#socket.localAddress ?? '';
  }

  get localPort(): number {
    return this.#socket.localPort ?? 0;
  }

  /** Queues latin1 text for the one write at the end of the turn. */
  writeText(text: string): void {
    if (this.#isFinished || this.#finishAfterFlush) return;
    this.#text = this.#text === '' ? text : this.#text + text;
    if (!this.#isDirty) {
      this.#isDirty = true;
      this.#turn.markDirty(this);
    }
  }

  /**
   * Queues lent bytes, with `suffix` behind them: small pieces join the text, large ones are copied and written at once
   * together with what stands before them.
   */
  writeBytes(buffer: Buffer, start: number, end: number, suffix = ''): void {
    if (end - start <= LARGEST_TEXT_PIECE_BYTES) {
      this.writeText(latin1Text(buffer, start, end) + suffix);
      return;
    }
    if (this.isClosed || this.#isFinished || this.#finishAfterFlush) return;
    const text = this.#text;
    const bodyEnd = text.length + end - start;
    const size = bodyEnd + suffix.length;
    const copy = this.#turn.copies.take(size);
    if (text !== '') {
      copy.write(text, 0, 'latin1');
      this.#text = '';
    }
    buffer.copy(copy, text.length, start, end);
    if (suffix !== '') copy.write(suffix, bodyEnd, 'latin1');
    this.flushedBytes += size;
    const isBelowMark = this.#socket.write(size === copy.length ? copy : copy.subarray(0, size));
    if (this.#socket.writableLength > 0) {
      this.#unsentCopies.push(copy);
      if (!isBelowMark) this.#backedUp = true;
    } else {
      this.#turn.copies.giveBack(copy);
      this.#recycle();
    }
  }

  /** The turn calls this; nobody else needs to. */
  flush(): void {
    this.#isDirty = false;
    if (this.isClosed) return;
    const text = this.#text;
    if (text !== '') {
      this.#text = '';
      this.flushedBytes += text.length;
      if (!this.#socket.write(text, 'latin1')) this.#backedUp = this.#socket.writableLength > 0;
    }
    if (this.#finishAfterFlush && !this.#isFinished) {
      this.#isFinished = true;
      this.#socket.end();
    }
  }

  /** Stops reading; the kernel's window closes behind it. */
  pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    if (!this.isClosed) this.#socket.resume();
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Sends what is queued, then FIN. Reading goes on until the peer finishes or destroy(). */
  finish(): void {
    if (this.#finishAfterFlush || this.isClosed) return;
    this.#finishAfterFlush = true;
    if (!this.#isDirty) {
      this.#isDirty = true;
      this.#turn.markDirty(this);
    }
  }

  /** Closes now. Queued output is lost. */
  destroy(): void {
    this.#text = '';
    this.#isDestroyed = true;
    this.#socket.destroy();
  }

  /** Closes now with RST, so that a peer which reads until the end sees that this was none. */
  reset(): void {
    this.#text = '';
    if (this.isClosed) return;
    this.#isDestroyed = true;
    if (this.#socket.connecting) this.#socket.destroy();
    else this.#socket.resetAndDestroy();
  }

  #held(): this {
    this.#isPaused = true;
    return this;
  }

  #onLent(length: number): boolean {
    this.#onBytes(this.#turn.readBuffer, length);
    return true;
  }

  #onBytes(buffer: Buffer, length: number): void {
    if (this.#isClosed) return;
    const turn = this.#turn;
    turn.enter();
    this.receivedBytes += length;
    try {
      this.#user.onBytes(buffer, 0, length);
    } catch (error) {
      turn.reportUnexpected(error);
      this.destroy();
    }
    turn.leave();
  }

  #enter(call: () => void): void {
    this.#turn.enter();
    try {
      call();
    } catch (error) {
      this.#turn.reportUnexpected(error);
      this.destroy();
    }
    this.#turn.leave();
  }

  #onEnd(): void {
    if (this.#peerFinished || this.#isClosed) return;
    this.#peerFinished = true;
    this.#enter(() => this.#user.onPeerFinished());
  }

  #recycle(): void {
    if (this.#unsentCopies.length === 0) return;
    for (const copy of this.#unsentCopies) this.#turn.copies.giveBack(copy);
    this.#unsentCopies = [];
  }

  #onDrain(): void {
    this.#recycle();
    if (!this.#backedUp) return;
    this.#backedUp = false;
    this.#enter(() => this.#user.onWritable());
  }

  #onError(error: Error): void {
    this.#isDestroyed = true;
    if (this.#errorCode !== '') return;
    const code: unknown = Reflect.get(error, 'code');
    this.#errorCode = typeof code === 'string' ? code : 'EUNKNOWN';
  }

  #onClose(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#text = '';
    this.#enter(() => this.#user.onClosed(this.#errorCode));
  }
}
