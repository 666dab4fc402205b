import type net from 'node:net';
import type { Address } from '../resource/address.ts';
import type { EventTurn } from './event-turn.ts';
import { latin1Text } from './latin1.ts';
import { adoptForLentReads, connectForLentReads } from './lent-reads.ts';
import { PLAINTEXT, type TransportFacts } from './peer-certificate.ts';
import type { ProxiedAddresses } from './proxy-protocol.ts';

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

/** The stream of a socket that nobody has claimed yet: whoever accepts it says whose it is before it reads. */
const UNCLAIMED: ByteStreamUser = {
  onConnected: () => undefined,
  onBytes: () => undefined,
  onPeerFinished: () => undefined,
  onWritable: () => undefined,
  onClosed: () => undefined,
};

/** Below this a body joins the head as text in one string and one write; above it bytes are copied as bytes. */
const LARGEST_TEXT_PIECE_BYTES = 8_192;
/**
 * Output that a socket keeps before it says stop. As small as the smallest copy, so that each copy which the kernel does not
 * take is one that 'drain' is told of afterwards, and can then be given back.
 */
const MAX_QUEUED_BYTES = LARGEST_TEXT_PIECE_BYTES;

/**
 * One socket. Output is gathered as latin1 text and written once, when the loop has handed out what one poll found. Reads come into the
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
  #unsentCopies: Buffer[] = NO_COPIES;
  /** Read by somebody else before this user came; given to it when it resumes. */
  #unread: Buffer | undefined = undefined;
  #assumed: ProxiedAddresses | undefined = undefined;
  /** Bytes handed to the socket since it was opened: shows whether anything of a message has left. */
  flushedBytes = 0;
  receivedBytes = 0;
  /** Settled before the first byte of application data is read. */
  transport: TransportFacts = PLAINTEXT;

  private constructor(turn: EventTurn, user: ByteStreamUser, socket: net.Socket) {
    this.#turn = turn;
    this.#user = user;
    this.#socket = socket;
    socket.on('end', () => this.#onEnd());
    socket.on('drain', () => this.#onDrain());
    socket.on('error', (error) => this.#onError(error));
    socket.on('close', () => this.#onClose());
  }

  /**
   * Takes over a socket that a server with `pauseOnConnect` and `allowHalfOpen` accepted. Reading starts with resume(), after
   * `user` was set.
   */
  static accept(turn: EventTurn, socket: net.Socket, user: ByteStreamUser, highWaterMarkBytes: number): ByteStream {
    const adopted = adoptForLentReads(socket, turn.lentBuffer, Math.min(highWaterMarkBytes, MAX_QUEUED_BYTES));
    const stream = new ByteStream(turn, user, adopted?.socket ?? socket);
    if (adopted === undefined) socket.on('data', (bytes: Buffer) => stream.#onBytes(bytes, bytes.length));
    else adopted.onLent = (length) => stream.#onBytes(turn.readBuffer, length);
    stream.#isPaused = true;
    return stream;
  }

  /** As accept, for whoever does not know yet whose stream it will be. */
  static acceptUnclaimed(turn: EventTurn, socket: net.Socket, highWaterMarkBytes: number): ByteStream {
    return ByteStream.accept(turn, socket, UNCLAIMED, highWaterMarkBytes);
  }

  static connect(turn: EventTurn, options: ConnectOptions, user: ByteStreamUser): ByteStream {
    const highWaterMark = Math.min(options.highWaterMarkBytes, MAX_QUEUED_BYTES);
    const dialled = connectForLentReads(options.address, turn.lentBuffer, highWaterMark);
    const stream = new ByteStream(turn, user, dialled.socket);
    dialled.onLent = (length) => stream.#onBytes(turn.readBuffer, length);
    dialled.socket.once('connect', () => stream.#enter(() => stream.#user.onConnected()));
    return stream;
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
    return this.#assumed?.sourceAddress ?? this.#socket.remoteAddress ?? '';
  }

  get remotePort(): number {
    return this.#assumed?.sourcePort ?? this.#socket.remotePort ?? 0;
  }

  /** The socket's own peer, whatever a proxy in front of us has told. */
  get directRemoteAddress(): string {
    return this.#socket.remoteAddress ?? '';
  }

  get localAddress(): string {
    return this.#assumed?.destinationAddress ?? this.#socket.localAddress ?? '';
  }

  get localPort(): number {
    return this.#assumed?.destinationPort ?? this.#socket.localPort ?? 0;
  }

  /** From here on these are the ends of the connection, as a proxy in front of us has told. */
  assumeAddresses(addresses: ProxiedAddresses): void {
    this.#assumed = addresses;
  }

  /** Puts bytes back that were read and belong to the next user, who gets them from resume(). Only while paused. */
  unread(bytes: Buffer): void {
    if (bytes.length > 0) this.#unread = bytes;
  }

  /** Queues latin1 text for the one write behind the poll. */
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
      this.#hold(copy);
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
    if (this.isClosed) return;
    this.#socket.resume();
    if (this.#unread !== undefined) this.#readAgain(this.#unread);
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

  #readAgain(bytes: Buffer): void {
    this.#unread = undefined;
    this.#enter(() => {
      this.#user.onBytes(bytes, 0, bytes.length);
      // Its FIN was heard by whoever read those bytes first.
      if (this.#peerFinished && !this.isClosed) this.#user.onPeerFinished();
    });
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

  #hold(copy: Buffer): void {
    if (this.#unsentCopies === NO_COPIES) this.#unsentCopies = [copy];
    else this.#unsentCopies.push(copy);
    this.#turn.copies.hold(copy);
  }

  #recycle(): void {
    if (this.#unsentCopies === NO_COPIES) return;
    const { copies } = this.#turn;
    for (const copy of this.#unsentCopies) {
      copies.release(copy);
      copies.giveBack(copy);
    }
    this.#unsentCopies = NO_COPIES;
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
    this.#unread = undefined;
    // What the kernel never took is left to the collector: nobody knows who still looks at it.
    for (const copy of this.#unsentCopies) this.#turn.copies.release(copy);
    this.#unsentCopies = NO_COPIES;
    this.#enter(() => this.#user.onClosed(this.#errorCode));
  }
}

const NO_COPIES: Buffer[] = [];

/** Who speaks with whom over a stream, as a PROXY header says it. */
export function endsOf(stream: ByteStream): ProxiedAddresses {
  return {
    sourceAddress: stream.remoteAddress,
    sourcePort: stream.remotePort,
    destinationAddress: stream.localAddress,
    destinationPort: stream.localPort,
  };
}
