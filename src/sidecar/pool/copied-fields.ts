import type { HeaderFields } from '../../http/header-fields.ts';

/** Fields that were lent, kept. */
export class CopiedFields implements HeaderFields {
  readonly count: number;
  readonly #names: string[] = [];
  readonly #values: string[] = [];
  readonly #hopByHop: boolean[] = [];

  constructor(lent: HeaderFields) {
    this.count = lent.count;
    for (let index = 0; index < lent.count; index++) {
      this.#names.push(lent.nameAt(index));
      this.#values.push(lent.valueAt(index));
      this.#hopByHop.push(lent.isHopByHop(index));
    }
  }

  nameAt(index: number): string {
    return this.#names[index] ?? '';
  }

  valueAt(index: number): string {
    return this.#values[index] ?? '';
  }

  indexOf(name: string, from = 0): number {
    return this.#names.indexOf(name, from);
  }

  get(name: string): string | undefined {
    const index = this.indexOf(name);
    return index < 0 ? undefined : this.#values[index];
  }

  isHopByHop(index: number): boolean {
    return this.#hopByHop[index] === true;
  }
}
