import type { HeaderFields } from './header-fields.ts';

/**
 * Changes to a head between receiving and sending it. One object per stream, reset and reused: the head itself is never
 * copied or altered. Writers skip removed fields and append the added pairs in order.
 */
export class HeaderEdits {
  /** Flat pairs: lower-case name, value, name, value … */
  readonly added: string[] = [];
  #removed = new Uint8Array(128);
  #highestRemoved = -1;

  reset(): void {
    this.added.length = 0;
    for (let index = 0; index <= this.#highestRemoved; index += 1) this.#removed[index] = 0;
    this.#highestRemoved = -1;
  }

  get isEmpty(): boolean {
    return this.added.length === 0 && this.#highestRemoved < 0;
  }

  add(name: string, value: string): void {
    this.added.push(name, value);
  }

  removeAt(index: number): void {
    if (index >= this.#removed.length) this.#grow(index);
    this.#removed[index] = 1;
    if (index > this.#highestRemoved) this.#highestRemoved = index;
  }

  /** Removes every field of that name, received or added. */
  remove(fields: HeaderFields, name: string): void {
    for (let index = fields.indexOf(name); index >= 0; index = fields.indexOf(name, index + 1)) this.removeAt(index);
    for (let pair = this.added.length - 2; pair >= 0; pair -= 2) {
      if (this.added[pair] === name) this.added.splice(pair, 2);
    }
  }

  /** Replaces every field of that name with one. */
  set(fields: HeaderFields, name: string, value: string): void {
    this.remove(fields, name);
    this.add(name, value);
  }

  isRemoved(index: number): boolean {
    return index <= this.#highestRemoved && this.#removed[index] === 1;
  }

  #grow(index: number): void {
    const larger = new Uint8Array(Math.max(index + 1, this.#removed.length * 2));
    larger.set(this.#removed);
    this.#removed = larger;
  }
}
