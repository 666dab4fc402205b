/** How a stream ended, for as long as it is remembered. */
export const NEVER_USED = 0;
export const ENDED = 1;
export const RESET_BY_PEER = 2;
export const RESET_BY_US = 3;
/** Too long ago to know. */
export const FORGOTTEN = 4;

const REMEMBERED_STREAMS = 1024;

/** How the last thousand streams of one side ended: a byte each, the oldest overwritten. Ids count up in twos. */
export class ClosedStreams {
  readonly #kinds = new Uint8Array(REMEMBERED_STREAMS);
  #highestId = 0;

  /** A stream has come into use. Those passed over were never used and are closed by that (RFC 9113 §5.1.1). */
  open(id: number): void {
    const fresh = Math.min(REMEMBERED_STREAMS, (id - this.#highestId) >> 1);
    for (let back = 0; back < fresh; back += 1) this.#kinds[slotOf(id - 2 * back)] = NEVER_USED;
    this.#highestId = id;
  }

  close(id: number, kind: number): void {
    if (this.#highestId - id < 2 * REMEMBERED_STREAMS) this.#kinds[slotOf(id)] = kind;
  }

  /** For ids that are not open and not above the highest one used. */
  kindOf(id: number): number {
    if (this.#highestId - id >= 2 * REMEMBERED_STREAMS) return FORGOTTEN;
    return this.#kinds[slotOf(id)] as number;
  }
}

function slotOf(id: number): number {
  return (id >> 1) & (REMEMBERED_STREAMS - 1);
}
