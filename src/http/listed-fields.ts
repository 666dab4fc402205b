import type { HeaderFields } from './header-fields.ts';

/** The fields of a message that we make ourselves: none is hop-by-hop. */
export class ListedFields implements HeaderFields {
  readonly #pairs: readonly string[];

  /** Flat pairs: lower-case name, value, … */
  constructor(pairs: readonly string[]) {
    this.#pairs = pairs;
  }

  get count(): number {
    return this.#pairs.length / 2;
  }

  nameAt(index: number): string {
    return this.#pairs[index * 2] ?? '';
  }

  valueAt(index: number): string {
    return this.#pairs[index * 2 + 1] ?? '';
  }

  indexOf(name: string, from = 0): number {
    for (let index = from; index < this.count; index++) if (this.nameAt(index) === name) return index;
    return -1;
  }

  get(name: string): string | undefined {
    const index = this.indexOf(name);
    return index < 0 ? undefined : this.valueAt(index);
  }

  isHopByHop(): boolean {
    return false;
  }
}
