import type { HeaderFields } from '../header-fields.ts';
import { CONTENT_LENGTH, NAME_MASK, OTHER_HOP_BY_HOP, TE } from './hpack/field-kind.ts';

/**
 * The fields of one HTTP/2 head: the strings that HPACK's tables hold, side by side, and no object per field. Immutable
 * once its head is handed out, and so shared among streams whose heads were the same bytes. `host` and pseudo-fields are
 * not among them; cookie crumbs are joined (RFC 9113 §8.2.3).
 */
export class Http2Fields implements HeaderFields {
  count = 0;
  readonly #names: string[] = [];
  readonly #values: string[] = [];
  readonly #kinds: number[] = [];

  push(name: string, value: string, kind: number): void {
    this.#names.push(name);
    this.#values.push(value);
    this.#kinds.push(kind);
    this.count += 1;
  }

  appendTo(index: number, separator: string, more: string): void {
    this.#values[index] = `${this.#values[index]}${separator}${more}`;
  }

  nameAt(index: number): string {
    return this.#names[index] as string;
  }

  valueAt(index: number): string {
    return this.#values[index] as string;
  }

  /** Bits of `hpack/field-kind.ts`. */
  kindAt(index: number): number {
    return this.#kinds[index] as number;
  }

  indexOf(name: string, from = 0): number {
    const names = this.#names;
    for (let index = from; index < names.length; index += 1) if (names[index] === name) return index;
    return -1;
  }

  get(name: string): string | undefined {
    const index = this.indexOf(name);
    return index < 0 ? undefined : this.#values[index];
  }

  isHopByHop(index: number): boolean {
    const name = (this.#kinds[index] as number) & NAME_MASK;
    return name === CONTENT_LENGTH || name === TE || name === OTHER_HOP_BY_HOP;
  }
}
