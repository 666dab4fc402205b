import { latin1Text } from '../../../transport-socket/transport-socket.ts';
import type { Http1UpstreamConnection } from '../../pool/pool.ts';

/** Bytes of a request body that are kept for another try; a longer body is sent once. */
export const MAX_REPLAY_BYTES = 65_536;

/**
 * The request's body on its way upstream: kept as text until there is a connection, and for another try as long as it is
 * short. One per stream, reset and reused.
 */
export class RequestBody {
  #text = '';
  #isReplayable = true;
  #trailers = '';

  reset(): void {
    this.#text = '';
    this.#isReplayable = true;
    this.#trailers = '';
  }

  /** Whether all that was sent so far could be sent again. */
  get isReplayable(): boolean {
    return this.#isReplayable && this.#text.length <= MAX_REPLAY_BYTES;
  }

  /** More is held than may be: nothing further may be read until there is a connection. */
  get isFull(): boolean {
    return this.#text.length > MAX_REPLAY_BYTES;
  }

  get trailers(): string {
    return this.#trailers;
  }

  set trailers(text: string) {
    this.#trailers = text;
  }

  /** Takes lent bytes and sends them on where there is somewhere to send them. */
  add(buffer: Buffer, start: number, end: number, connection: Http1UpstreamConnection | undefined): void {
    const fits = this.#isReplayable && this.#text.length + end - start <= MAX_REPLAY_BYTES;
    if (fits || connection === undefined) {
      const text = latin1Text(buffer, start, end);
      this.#text += text;
      connection?.sendBodyText(text);
    } else {
      this.release();
      connection.sendBody(buffer, start, end);
    }
  }

  /** All that is held, on a connection that has just been lent. */
  sendHeld(connection: Http1UpstreamConnection): void {
    if (this.#text !== '') connection.sendBodyText(this.#text);
    if (this.isFull) this.release();
  }

  /** Lets the bytes go: there will be no other try. */
  release(): void {
    this.#text = '';
    this.#isReplayable = false;
  }
}
