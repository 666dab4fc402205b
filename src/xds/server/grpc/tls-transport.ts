import type { TLSSocket } from 'node:tls';
import {
  type ByteStreamUser,
  type EventTurn,
  readCertificateExtensions,
} from '../../../transport-socket/transport-socket.ts';
import type { AcceptedTransport } from './accepted-transport.ts';

/** A TLS socket of Node's own server: certificates are that server's business, and bytes come as Node gives them. */
export class TlsTransport implements AcceptedTransport {
  readonly isSecure = true;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly certifiedUris: readonly string[];
  readonly #turn: EventTurn;
  readonly #socket: TLSSocket;
  #user: ByteStreamUser | undefined = undefined;
  #errorCode = '';

  constructor(turn: EventTurn, socket: TLSSocket) {
    this.#turn = turn;
    this.#socket = socket;
    this.remoteAddress = socket.remoteAddress ?? '';
    this.remotePort = socket.remotePort ?? 0;
    // Read from the certificate's own bytes: its names as text have fooled many.
    const certificate = socket.getPeerX509Certificate();
    this.certifiedUris = certificate === undefined ? [] : (readCertificateExtensions(certificate.raw)?.uriNames ?? []);
    socket.on('error', (error) => {
      this.#errorCode = error.name;
    });
  }

  set user(user: ByteStreamUser) {
    this.#user = user;
    const socket = this.#socket;
    socket.on('end', () => this.#tell(() => user.onPeerFinished()));
    socket.on('drain', () => this.#tell(() => user.onWritable()));
    socket.on('close', () => this.#tell(() => user.onClosed(this.#errorCode)));
  }

  get isBackedUp(): boolean {
    return this.#socket.writableNeedDrain;
  }

  writeOwned(buffer: Buffer, length: number): boolean {
    // Encrypted later in this turn or the next, when the buffer is used again.
    if (this.#socket.writable) this.#socket.write(Buffer.from(buffer.subarray(0, length)));
    return true;
  }

  resume(): void {
    this.#socket.on('data', (bytes: Buffer) => this.#tell(() => this.#user?.onBytes(bytes, 0, bytes.length)));
  }

  finish(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #tell(call: () => void): void {
    this.#turn.enter();
    try {
      call();
    } catch (error) {
      this.#turn.reportUnexpected(error);
      this.#socket.destroy();
    }
    this.#turn.leave();
  }
}
