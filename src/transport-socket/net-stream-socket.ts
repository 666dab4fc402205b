import net from 'node:net';
import type { Address } from '../resource/address.ts';
import type { LentBuffer } from './lent-buffer.ts';
import { adoptForLentReads, connectForLentReads, type LentSocket } from './lent-reads.ts';
import type { ReleasedTransport, StreamSocket, StreamSocketUser } from './stream-socket.ts';
import { isTlsSocket, type OpenedTls, resetTls } from './tls/tls-socket.ts';

/** Whatever a socket that was given up still says is nobody's business. */
const NOBODY: StreamSocketUser = {
  onSocketConnected: () => undefined,
  onSocketBytes: () => undefined,
  onSocketEnd: () => undefined,
  onSocketDrained: () => undefined,
  onSocketFailed: () => undefined,
  onSocketClosed: () => undefined,
};

/** A StreamSocket over net.Socket: for TLS, and for whatever a HandleSocket cannot drive, on any Node. */
export class NetStreamSocket implements StreamSocket {
  /** Its writes are told to have been taken in a later turn. */
  readonly takesAtOnce = false;
  readonly #socket: net.Socket;
  #user: StreamSocketUser;

  /** Without a reader bytes come as 'data' events. */
  private constructor(socket: net.Socket, reader: LentSocket | undefined, lent: LentBuffer, user: StreamSocketUser) {
    this.#socket = socket;
    this.#user = user;
    if (reader === undefined) socket.on('data', (bytes: Buffer) => this.#user.onSocketBytes(bytes, bytes.length));
    else reader.onLent = (length) => this.#user.onSocketBytes(lent.whole, length);
    socket.on('end', () => this.#user.onSocketEnd());
    socket.on('drain', () => this.#user.onSocketDrained());
    socket.on('error', (error) => this.#user.onSocketFailed(codeOf(error)));
    socket.on('close', () => this.#user.onSocketClosed());
  }

  /** Takes over a socket that nothing has been read from. Reading starts with resume(). */
  static accept(
    socket: net.Socket,
    lent: LentBuffer,
    highWaterMarkBytes: number,
    user: StreamSocketUser,
  ): NetStreamSocket {
    const adopted = adoptForLentReads(socket, lent, highWaterMarkBytes);
    return new NetStreamSocket(adopted?.socket ?? socket, adopted, lent, user);
  }

  /** Dials; reading starts when the connection is there. */
  static connect(
    address: Address,
    lent: LentBuffer,
    highWaterMarkBytes: number,
    user: StreamSocketUser,
  ): NetStreamSocket {
    const dialled = connectForLentReads(address, lent, highWaterMarkBytes);
    dialled.socket.once('connect', () => user.onSocketConnected());
    return new NetStreamSocket(dialled.socket, dialled, lent, user);
  }

  /** A TLS socket whose handshake is about to begin. */
  static secured({ socket, lent: reader }: OpenedTls, lent: LentBuffer, user: StreamSocketUser): NetStreamSocket {
    return new NetStreamSocket(socket, reader, lent, user);
  }

  /** Goes nowhere, and may only be destroyed. */
  static unopened(lent: LentBuffer, user: StreamSocketUser): NetStreamSocket {
    return new NetStreamSocket(new net.Socket(), undefined, lent, user);
  }

  set user(user: StreamSocketUser) {
    this.#user = user;
  }

  get unsentBytes(): number {
    return this.#socket.writableLength;
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

  writeText(text: string): void {
    this.#socket.write(text, 'latin1');
  }

  writeBytes(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  finish(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  reset(): void {
    const socket = this.#socket;
    if (socket.connecting) socket.destroy();
    else if (isTlsSocket(socket)) resetTls(socket);
    else socket.resetAndDestroy();
  }

  release(): ReleasedTransport {
    this.#user = NOBODY;
    return { kind: 'socket', socket: this.#socket };
  }
}

function codeOf(error: Error): string {
  const code: unknown = Reflect.get(error, 'code');
  return typeof code === 'string' ? code : 'EUNKNOWN';
}
