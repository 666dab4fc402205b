/**
 * Hands out slot numbers by key, below a bound. A freed slot rests before it is given to another key, because streams of
 * workers may still count in it.
 */
export class SlotAllocator {
  readonly #capacity: number;
  readonly #restMs: number;
  readonly #slots = new Map<string, number>();
  readonly #resting: { readonly slot: number; readonly freedAtMs: number }[] = [];
  #next = 0;

  constructor(capacity: number, restMs: number) {
    this.#capacity = capacity;
    this.#restMs = restMs;
  }

  get size(): number {
    return this.#slots.size;
  }

  /** The slot of a key that has one. */
  known(key: string): number | undefined {
    return this.#slots.get(key);
  }

  /** undefined where the table is full; the caller reports it and leaves the thing out. */
  slotFor(key: string, nowMs: number): number | undefined {
    const known = this.#slots.get(key);
    if (known !== undefined) return known;
    const slot = this.#freeSlot(nowMs);
    if (slot !== undefined) this.#slots.set(key, slot);
    return slot;
  }

  /** Frees every key that is not in `live`. Returns the slots freed. */
  retain(live: ReadonlySet<string>, nowMs: number): number[] {
    const freed: number[] = [];
    for (const [key, slot] of this.#slots) {
      if (live.has(key)) continue;
      this.#slots.delete(key);
      this.#resting.push({ slot, freedAtMs: nowMs });
      freed.push(slot);
    }
    return freed;
  }

  #freeSlot(nowMs: number): number | undefined {
    const rested = this.#resting[0];
    if (rested !== undefined && nowMs - rested.freedAtMs >= this.#restMs) {
      this.#resting.shift();
      return rested.slot;
    }
    return this.#next < this.#capacity ? this.#next++ : undefined;
  }
}
