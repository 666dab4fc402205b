/**
 * Until when each resource of a type lives (xDS protocol, "TTL"). A resource without an end is not in here. Knows no timer: its owner
 * asks when to look again.
 */
export class Lifetimes {
  readonly #endsMs = new Map<string, number>();
  /** No end is before this; it may have been renewed meanwhile, and then looking finds nothing. */
  #earliestMs = Number.POSITIVE_INFINITY;

  /** When to look next; infinite when nothing has an end. */
  get earliestMs(): number {
    return this.#earliestMs;
  }

  /** From now on, for so long; undefined is for ever, also for what had an end before. */
  begin(name: string, ttlMs: number | undefined, nowMs: number): void {
    if (ttlMs === undefined) {
      this.#endsMs.delete(name);
      return;
    }
    const endMs = nowMs + ttlMs;
    this.#endsMs.set(name, endMs);
    this.#earliestMs = Math.min(this.#earliestMs, endMs);
  }

  forget(name: string): void {
    this.#endsMs.delete(name);
  }

  /** Names whose time is over; each is told once. */
  takeEnded(nowMs: number): readonly string[] {
    if (nowMs < this.#earliestMs) return [];
    const ended: string[] = [];
    let earliestMs = Number.POSITIVE_INFINITY;
    for (const [name, endMs] of this.#endsMs) {
      if (endMs > nowMs) earliestMs = Math.min(earliestMs, endMs);
      else ended.push(name);
    }
    for (const name of ended) this.#endsMs.delete(name);
    this.#earliestMs = earliestMs;
    return ended;
  }
}
