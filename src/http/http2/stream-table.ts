/** Whatever has the id of a stream. */
export interface Identified {
  readonly id: number;
}

const FIRST_CAPACITY = 16;
/** More than half full, the table doubles: probes stay short. */
const FULLEST_DIVISOR = 2;

/**
 * Open streams by id. A Map would do, but for its garbage: each rehash leaves the old table pointing to the new one, so that
 * one dead table promoted to the old generation keeps every later table, and the streams in it, alive until a full
 * collection. Here a slot that is given up points to nothing.
 */
export class StreamTable<S extends Identified> {
  size = 0;
  #slots: (S | undefined)[] = new Array<S | undefined>(FIRST_CAPACITY).fill(undefined);
  #mask = FIRST_CAPACITY - 1;
  /** Streams that do not lie where their id puts them. Ids come in order, so that nearly always there is none. */
  #displaced = 0;

  get(id: number): S | undefined {
    for (let at = (id >>> 1) & this.#mask; ; at = (at + 1) & this.#mask) {
      const found = this.#slots[at];
      if (found === undefined || found.id === id) return found;
    }
  }

  /** Adds a stream whose id is not there. */
  add(stream: S): void {
    if ((this.size + 1) * FULLEST_DIVISOR > this.#slots.length) this.#grow();
    this.#place(stream);
    this.size += 1;
  }

  delete(id: number): void {
    const slots = this.#slots;
    const mask = this.#mask;
    let at = (id >>> 1) & mask;
    while (slots[at] !== undefined && slots[at]?.id !== id) at = (at + 1) & mask;
    if (slots[at] === undefined) return;
    this.size -= 1;
    if (this.#displaced > 0) this.#close(at);
    else slots[at] = undefined;
  }

  #close(gap: number): void {
    const slots = this.#slots;
    const mask = this.#mask;
    let at = gap;
    if ((((slots[at]?.id ?? 0) >>> 1) & mask) !== at) this.#displaced -= 1;
    // What had to step aside moves back, so that no probe meets a gap too early.
    for (let next = (at + 1) & mask; ; next = (next + 1) & mask) {
      const stream = slots[next];
      if (stream === undefined) break;
      const home = (stream.id >>> 1) & mask;
      if (((next - home) & mask) < ((next - at) & mask)) continue;
      slots[at] = stream;
      if (home === at) this.#displaced -= 1;
      at = next;
    }
    slots[at] = undefined;
  }

  /** The streams of now, in order of id: the table may change while they are gone through. */
  snapshot(): S[] {
    const streams = this.#slots.filter((stream) => stream !== undefined);
    return streams.sort((a, b) => a.id - b.id);
  }

  #place(stream: S): void {
    const home = (stream.id >>> 1) & this.#mask;
    let at = home;
    while (this.#slots[at] !== undefined) at = (at + 1) & this.#mask;
    if (at !== home) this.#displaced += 1;
    this.#slots[at] = stream;
  }

  #grow(): void {
    const before = this.#slots;
    const capacity = before.length * 2;
    this.#slots = new Array<S | undefined>(capacity).fill(undefined);
    this.#mask = capacity - 1;
    this.#displaced = 0;
    for (const stream of before) if (stream !== undefined) this.#place(stream);
  }
}
