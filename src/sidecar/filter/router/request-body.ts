import type { HeaderFields } from '../../../http/header-fields.ts';
import { latin1Text } from '../../../transport-socket/transport-socket.ts';
import { CopiedFields, type UpstreamExchange } from '../../pool/pool.ts';

/** Bytes of a request body that are kept for another try; a longer body is sent once. */
export const MAX_REPLAY_BYTES = 65_536;

/** A text put together from that many pieces is copied into one: each piece costs the engine 32 bytes beside its own. */
const MAX_PIECES = 256;

/**
 * The request's body on its way upstream: kept as text until there is a connection, and for another try as long as it is
 * short. One per stream, reset and reused.
 */
export class RequestBody {
  #text = '';
  #pieces = 0;
  #isReplayable = true;
  #trailers: CopiedFields | undefined = undefined;

  reset(): void {
    this.#text = '';
    this.#isReplayable = true;
    this.#trailers = undefined;
  }

  /** Whether all that was sent so far could be sent again. */
  get isReplayable(): boolean {
    return this.#isReplayable && this.#text.length <= MAX_REPLAY_BYTES;
  }

  /** More is held than may be: nothing further may be read until there is a connection. */
  get isFull(): boolean {
    return this.#text.length > MAX_REPLAY_BYTES;
  }

  get trailers(): HeaderFields | undefined {
    return this.#trailers;
  }

  keepTrailers(lent: HeaderFields): void {
    this.#trailers = new CopiedFields(lent);
  }

  /** Takes lent bytes and sends them on where there is somewhere to send them. */
  add(buffer: Buffer, start: number, end: number, connection: UpstreamExchange | undefined): void {
    const fits = this.#isReplayable && this.#text.length + end - start <= MAX_REPLAY_BYTES;
    if (fits || connection === undefined) {
      const text = latin1Text(buffer, start, end);
      this.#keep(text);
      connection?.sendBodyText(text);
    } else {
      this.release();
      connection.sendBody(buffer, start, end);
    }
  }

  #keep(text: string): void {
    this.#text += text;
    this.#pieces += 1;
    if (this.#pieces < MAX_PIECES) return;
    this.#pieces = 0;
    const bytes = Buffer.from(this.#text, 'latin1');
    this.#text = latin1Text(bytes, 0, bytes.length);
  }

  /** All that is held, on a connection that has just been lent. */
  sendHeld(connection: UpstreamExchange): void {
    if (this.#text !== '') connection.sendBodyText(this.#text);
    if (this.isFull) this.release();
  }

  /** Lets the bytes go: there will be no other try. */
  release(): void {
    this.#text = '';
    this.#isReplayable = false;
  }
}
