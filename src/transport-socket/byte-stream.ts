import type net from 'node:net';
import type { Address } from '../resource/address.ts';
import type { ByteStreamUser } from './byte-stream-user.ts';
import { LARGEST_JOINED_BYTES, MAX_QUEUED_BYTES, UnsentCopies } from './copy-buffers.ts';
import { DialRace, dialOrder } from './dial-race.ts';
import type { ConnectOptions, DialTarget } from './dial-target.ts';
import { type DialAttempt, dialAddress } from './dialling.ts';
import type { EventTurn } from './event-turn.ts';
import { writeLatin1 } from './latin1.ts';
import { NetStreamSocket } from './net-stream-socket.ts';
import { type OriginalDestination, restoredDestination } from './original-destination.ts';
import { PLAINTEXT, type TransportFacts } from './peer-certificate.ts';
import type { ProxiedAddresses } from './proxy-protocol.ts';
import { acceptSocket } from './sockets.ts';
import type { StreamSocket, StreamSocketUser } from './stream-socket.ts';
import type { TlsFailure } from './tls/peer-verification.ts';
import { type DialledTls, StreamHandshake, type StreamTls } from './tls/stream-handshake.ts';
import type { CompiledTls } from './tls/tls-context.ts';
import { acceptTls, type OpenedTls } from './tls/tls-socket.ts';
import { TurnOutput } from './turn-output.ts';

/**
 * One socket. Output is gathered and written once, when the loop has handed out what one poll found. Reads come into the
 * worker's shared buffer. Closing is `finish()` (send what is queued, then FIN), `destroy()` (now) or `reset()` (now, and
 * the peer must notice).
 */
export class ByteStream implements StreamSocketUser {
  readonly #turn: EventTurn;
  #socket: StreamSocket;
  readonly #highWaterMarkBytes: number;
  #user: ByteStreamUser;
  #isDirty = false;
  #isConnecting = false;
  #isPaused = false;
  #finishAfterFlush = false;
  #isFinished = false;
  #isClosed = false;
  /** Told to close, by us or by an error; the socket's own getter is too dear to ask for each request. */
  #isDestroyed = false;
  #peerFinished = false;
  #errorCode = '';
  #backedUp = false;
  readonly #output: TurnOutput;
  /** Copies that the kernel has not taken yet; at most the watermark and one read's worth. */
  readonly #unsent: UnsentCopies;
  /** Read by somebody else before this user came; given to it when it resumes. */
  #unread: Buffer | undefined = undefined;
  #assumed: ProxiedAddresses | undefined = undefined;
  /** Bytes handed to the socket since it was opened: shows whether anything of a message has left. */
  flushedBytes = 0;
  receivedBytes = 0;
  /** Settled before the first byte of application data is read. */
  transport: TransportFacts = PLAINTEXT;
  #handshake: StreamHandshake | undefined = undefined;

  private constructor(
    turn: EventTurn,
    user: ByteStreamUser,
    highWaterMarkBytes: number,
    open: (stream: ByteStream) => StreamSocket,
  ) {
    this.#turn = turn;
    this.#user = user;
    this.#highWaterMarkBytes = highWaterMarkBytes;
    this.#output = new TurnOutput(turn.copies);
    this.#unsent = new UnsentCopies(turn.copies);
    this.#socket = open(this);
  }

  /**
   * Takes over a socket that a server with `pauseOnConnect` and `allowHalfOpen` accepted. Reading starts with resume(), after
   * `user` was set; UNCLAIMED where nobody knows yet whose stream it will be.
   */
  static accept(turn: EventTurn, socket: net.Socket, user: ByteStreamUser, highWaterMarkBytes: number): ByteStream {
    const markBytes = Math.min(highWaterMarkBytes, MAX_QUEUED_BYTES);
    const stream = new ByteStream(turn, user, markBytes, (owner) => acceptSocket(turn, socket, markBytes, owner));
    stream.#isPaused = true;
    return stream;
  }

  static connect(turn: EventTurn, options: ConnectOptions, user: ByteStreamUser): ByteStream {
    const { target, tls } = options;
    const markBytes = Math.min(options.highWaterMarkBytes, MAX_QUEUED_BYTES);
    if (tls !== undefined && tls.compiled === undefined) {
      const stream = new ByteStream(turn, user, markBytes, (owner) => NetStreamSocket.unopened(turn.lentBuffer, owner));
      stream.#refuseForSecrets(tls);
      return stream;
    }
    return new ByteStream(turn, user, markBytes, (owner) => owner.#dial(target, tls));
  }

  #dial({ address, additionalAddresses }: DialTarget, tls: DialledTls | undefined): StreamSocket {
    this.#isConnecting = true;
    const open = (to: Address, user: StreamSocketUser): DialAttempt =>
      dialAddress(this.#turn, to, tls, this.#highWaterMarkBytes, user);
    if (additionalAddresses !== undefined) {
      const addresses = dialOrder([address, ...additionalAddresses]);
      const onWon = (attempt: DialAttempt): void => this.#takeOver(attempt, tls);
      return new DialRace({ turn: this.#turn, addresses, dial: open, onWon, user: this });
    }
    const attempt = open(address, this);
    this.#speakTls(attempt.tls, tls);
    return attempt.socket;
  }

  #takeOver(attempt: DialAttempt, tls: DialledTls | undefined): void {
    this.#socket = attempt.socket;
    attempt.socket.user = this;
    if (this.#isPaused) attempt.socket.pause();
    if (attempt.tls === undefined) this.onSocketConnected();
    else this.#speakTls(attempt.tls, tls);
  }

  #speakTls(opened: OpenedTls | undefined, tls: DialledTls | undefined): void {
    if (opened === undefined || tls?.compiled === undefined) return;
    this.#isConnecting = false;
    this.#shakeHands(opened, tls, tls.compiled, false);
  }

  /**
   * Speaks TLS from here on, as the server. Only while paused: what was put back is the beginning of the handshake. The user
   * hears onConnected(), with the stream paused, or onClosed(), and nothing before.
   */
  secure(tls: StreamTls): void {
    const { compiled } = tls;
    if (this.isClosed) return;
    if (compiled === undefined) {
      this.#refuseForSecrets(tls);
      return;
    }
    const firstBytes = this.#unread;
    this.#unread = undefined;
    const { lentBuffer } = this.#turn;
    const options = { compiled, alpn: tls.alpn, firstBytes, highWaterMark: this.#highWaterMarkBytes };
    const opened = acceptTls(this.#socket.release(), lentBuffer, options);
    this.#socket = NetStreamSocket.secured(opened, lentBuffer, this);
    this.#isPaused = false;
    this.#shakeHands(opened, tls, compiled, true);
  }

  /** Hands the stream to another owner. */
  set user(user: ByteStreamUser) {
    this.#user = user;
  }

  get isClosed(): boolean {
    return this.#isClosed || this.#isDestroyed;
  }

  /** A handshake is under way: nothing is written, and the user hears nothing but its outcome. */
  get isSecuring(): boolean {
    return this.#handshake?.isUnderWay === true;
  }

  /** Why there is no TLS, once there is none. */
  get tlsFailure(): TlsFailure | undefined {
    return this.#handshake?.failure;
  }

  get peerFinished(): boolean {
    return this.#peerFinished;
  }

  /** True from the moment unsent output passes the watermark until it has drained. */
  get isBackedUp(): boolean {
    return this.#backedUp;
  }

  get unsentBytes(): number {
    return this.#socket.unsentBytes + this.#output.length;
  }

  get remoteAddress(): string {
    return this.#assumed?.sourceAddress ?? this.#socket.remoteAddress;
  }

  get remotePort(): number {
    return this.#assumed?.sourcePort ?? this.#socket.remotePort;
  }

  /** The socket's own peer, whatever a proxy in front of us has told. */
  get directRemoteAddress(): string {
    return this.#socket.remoteAddress;
  }

  get localAddress(): string {
    return this.#assumed?.destinationAddress ?? this.#socket.localAddress;
  }

  get localPort(): number {
    return this.#assumed?.destinationPort ?? this.#socket.localPort;
  }

  /** From here on these are the ends of the connection: a proxy in front of us has told, or the kernel. */
  assumeAddresses(addresses: ProxiedAddresses): void {
    this.#assumed = addresses;
  }

  /** Where the peer meant to connect, where that is not the address that it came in at. */
  get restoredDestination(): OriginalDestination | undefined {
    return this.#assumed && restoredDestination(this.#assumed, this.#socket);
  }

  /** Puts bytes back that were read and belong to the next user, who gets them from resume(). Only while paused. */
  unread(bytes: Buffer): void {
    if (bytes.length > 0) this.#unread = bytes;
  }

  /** Queues latin1 text for the one write behind the poll. */
  writeText(text: string): void {
    if (this.#isFinished || this.#finishAfterFlush) return;
    this.#output.addText(text);
    this.#markDirty();
  }

  /**
   * Queues lent bytes, with `suffix` behind them: small pieces join what is to be sent when the turn ends, large ones are
   * copied and written at once together with what stands before them.
   */
  writeBytes(buffer: Buffer, start: number, end: number, suffix = ''): void {
    if (this.#isFinished || this.#finishAfterFlush) return;
    if (end - start <= LARGEST_JOINED_BYTES || this.#isConnecting || this.isSecuring) {
      // However little of a buffer the kernel does not take, all of it stays.
      const mayBorrow = this.#socket.takesAtOnce && !this.#backedUp && !this.#isConnecting;
      this.#output.addBytes(buffer, start, end, suffix, mayBorrow);
      this.#markDirty();
      return;
    }
    if (this.isClosed) return;
    const before = this.#output.length;
    const size = before + end - start + suffix.length;
    const copy = this.#turn.copies.take(size);
    this.#output.moveTo(copy);
    buffer.copy(copy, before, start, end);
    if (suffix !== '') writeLatin1(copy, suffix, size - suffix.length);
    if (this.#writeNow(copy, size)) this.#turn.copies.giveBack(copy);
  }

  /**
   * Writes a whole round's output there and then, from the front of a buffer of the caller's own. False where the buffer is
   * the caller's no longer: the kernel has not taken all of it.
   */
  writeOwned(buffer: Buffer, length: number): boolean {
    if (length <= LARGEST_JOINED_BYTES || this.#isConnecting || this.isSecuring || !this.#output.isEmpty) {
      this.writeBytes(buffer, 0, length);
      this.flush();
      return true;
    }
    return this.isClosed || this.#isFinished || this.#finishAfterFlush || this.#writeNow(buffer, length);
  }

  #writeNow(buffer: Buffer, length: number): boolean {
    this.flushedBytes += length;
    this.#socket.writeBytes(length === buffer.length ? buffer : buffer.subarray(0, length));
    if (this.#socket.unsentBytes === 0) {
      this.#unsent.giveBack();
      return true;
    }
    // However little of it is left, no other copy is to be held beside it.
    this.#unsent.hold(buffer);
    this.#backedUp = true;
    return false;
  }

  /** The turn calls this; nobody else needs to. */
  flush(): void {
    this.#isDirty = false;
    if (this.isClosed) this.#output.clear();
    if (this.isClosed || this.#isConnecting || this.isSecuring) return;
    if (!this.#output.isEmpty) this.#send(this.#output);
    if (this.#finishAfterFlush && !this.#isFinished) {
      this.#isFinished = true;
      this.#socket.finish();
    }
  }

  #send(output: TurnOutput): void {
    const { length } = output;
    const text = output.takeText();
    const buffer = output.takeBuffer();
    if (buffer === undefined) {
      this.flushedBytes += length;
      this.#socket.writeText(text);
      if (this.#socket.unsentBytes >= this.#highWaterMarkBytes) this.#backedUp = true;
    } else if (this.#writeNow(buffer, length)) this.#turn.copies.giveBack(buffer);
  }

  #markDirty(): void {
    if (this.#isDirty) return;
    this.#isDirty = true;
    this.#turn.markDirty(this);
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
    this.#markDirty();
  }

  /** Closes now. Queued output is lost. */
  destroy(): void {
    this.#output.clear();
    this.#isDestroyed = true;
    this.#socket.destroy();
  }

  /** Closes now with RST, so that a peer which reads until the end sees that this was none. */
  reset(): void {
    this.#output.clear();
    if (this.isClosed) return;
    this.#isDestroyed = true;
    this.#socket.reset();
  }

  /** This and the others of its kind are the socket's to call. */
  onSocketConnected(): void {
    this.#isConnecting = false;
    if (!this.#output.isEmpty || this.#finishAfterFlush) this.#turn.markDirty(this);
    this.#enter(() => this.#user.onConnected());
  }

  #readAgain(bytes: Buffer): void {
    this.#unread = undefined;
    this.#enter(() => {
      this.#user.onBytes(bytes, 0, bytes.length);
      // Its FIN was heard by whoever read those bytes first.
      if (this.#peerFinished && !this.isClosed) this.#user.onPeerFinished();
    });
  }

  #shakeHands({ socket }: OpenedTls, tls: StreamTls, compiled: CompiledTls, isServer: boolean): void {
    const handshake = new StreamHandshake(tls.counters);
    this.#handshake = handshake;
    socket.once(isServer ? 'secure' : 'secureConnect', () => {
      if (!this.isClosed) this.#enter(() => this.#onSecured(handshake.settle(socket, compiled), isServer));
    });
  }

  /** `facts` undefined: the peer is not wanted. */
  #onSecured(facts: TransportFacts | undefined, isServer: boolean): void {
    if (facts === undefined) {
      this.destroy();
      return;
    }
    this.transport = facts;
    // An accepted stream reads when its next owner says so.
    if (isServer) this.pause();
    if (!this.#output.isEmpty || this.#finishAfterFlush) this.#turn.markDirty(this);
    this.#user.onConnected();
  }

  #refuseForSecrets({ counters }: StreamTls): void {
    this.#handshake = new StreamHandshake(counters);
    this.#handshake.refuseForSecrets();
    this.destroy();
  }

  /** Bytes that were decrypted before the pause could take hold wait for resume(): at most one read's worth. */
  #keep(buffer: Buffer, length: number): void {
    const copy = Buffer.from(buffer.subarray(0, length));
    this.#unread = this.#unread === undefined ? copy : Buffer.concat([this.#unread, copy]);
  }

  onSocketBytes(buffer: Buffer, length: number): void {
    if (this.#isClosed) return;
    if (this.#isPaused) {
      this.receivedBytes += length;
      this.#keep(buffer, length);
      return;
    }
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

  onSocketEnd(): void {
    if (this.#peerFinished || this.#isClosed) return;
    this.#peerFinished = true;
    // Behind what is still to be read.
    if (this.#unread !== undefined && this.#isPaused) return;
    if (this.isSecuring) this.destroy();
    else this.#enter(() => this.#user.onPeerFinished());
  }

  onSocketDrained(): void {
    this.#unsent.giveBack();
    if (!this.#backedUp) return;
    this.#backedUp = false;
    this.#enter(() => this.#user.onWritable());
  }

  onSocketFailed(code: string): void {
    this.#isDestroyed = true;
    if (this.#errorCode === '') this.#errorCode = code;
  }

  onSocketClosed(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#output.clear();
    this.#unread = undefined;
    if (this.#handshake !== undefined) this.#errorCode = this.#handshake.closed(this.#errorCode);
    this.#unsent.abandon();
    this.#enter(() => this.#user.onClosed(this.#errorCode));
  }
}
