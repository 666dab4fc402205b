import type { Socket } from 'node:net';
import {
  ByteStream,
  type ByteStreamUser,
  type EventTurn,
  UNCLAIMED,
} from '../../../transport-socket/transport-socket.ts';
import type { AcceptedTransport } from './accepted-transport.ts';

const HIGH_WATER_MARK_BYTES = 8 * 1024;

/** Plaintext: nobody has proved anything. */
export class PlainTransport implements AcceptedTransport {
  readonly isSecure = false;
  readonly certifiedUris: readonly string[] = [];
  readonly #bytes: ByteStream;

  /** The socket comes from a server with `pauseOnConnect` and `allowHalfOpen`, and is spent. */
  constructor(turn: EventTurn, socket: Socket) {
    this.#bytes = ByteStream.accept(turn, socket, UNCLAIMED, HIGH_WATER_MARK_BYTES);
  }

  set user(user: ByteStreamUser) {
    this.#bytes.user = user;
  }

  get remoteAddress(): string {
    return this.#bytes.remoteAddress;
  }

  get remotePort(): number {
    return this.#bytes.remotePort;
  }

  get isBackedUp(): boolean {
    return this.#bytes.isBackedUp;
  }

  writeOwned(buffer: Buffer, length: number): boolean {
    return this.#bytes.writeOwned(buffer, length);
  }

  resume(): void {
    this.#bytes.resume();
  }

  finish(): void {
    this.#bytes.finish();
  }

  destroy(): void {
    this.#bytes.destroy();
  }
}
