/** Knows where in its list it stands. */
export interface Listed {
  /** The list's alone to set. */
  place: number;
}

/**
 * What is under way on one connection, in no order. A Set would do, but for what adding and deleting costs where each item
 * stays for a millisecond: a hash each time, and a new table every so often.
 */
export class ExchangeList<E extends Listed> {
  readonly #items: E[] = [];

  get size(): number {
    return this.#items.length;
  }

  /** Adds an item that is in no list. */
  add(item: E): void {
    item.place = this.#items.length;
    this.#items.push(item);
  }

  /** The last item takes its place. */
  delete(item: E): void {
    const items = this.#items;
    if (items[item.place] !== item) return;
    const last = items.pop();
    if (last === undefined || last === item) return;
    last.place = item.place;
    items[item.place] = last;
  }

  /** Those of now: the list may change while they are gone through. */
  snapshot(): E[] {
    return [...this.#items];
  }

  clear(): void {
    this.#items.length = 0;
  }
}
