import type { HeaderFields } from '../header-fields.ts';
import { CONTENT_LENGTH, NAME_MASK, OTHER_HOP_BY_HOP, TE } from './hpack/field-kind.ts';
import { HeaderField, nameBit } from './hpack/header-field.ts';

/**
 * The fields of one HTTP/2 head, as HPACK's tables hold them. Immutable once its head is handed out, and so shared among
 * streams whose heads were the same bytes. `host` and pseudo-fields are not among them; cookie crumbs are joined
 * (RFC 9113 §8.2.3).
 */
export class Http2Fields implements HeaderFields {
  count = 0;
  readonly #fields: HeaderField[] = [];
  /** Of all names: most of what is asked for is not there. */
  #nameBits = 0;

  push(field: HeaderField): void {
    this.#fields.push(field);
    this.#nameBits |= field.nameBit;
    this.count += 1;
  }

  appendTo(index: number, separator: string, more: string): void {
    const { name, value, kind } = this.fieldAt(index);
    this.#fields[index] = new HeaderField(name, `${value}${separator}${more}`, kind);
  }

  fieldAt(index: number): HeaderField {
    return this.#fields[index] as HeaderField;
  }

  nameAt(index: number): string {
    return this.fieldAt(index).name;
  }

  valueAt(index: number): string {
    return this.fieldAt(index).value;
  }

  indexOf(name: string, from = 0): number {
    if ((this.#nameBits & nameBit(name)) === 0) return -1;
    const fields = this.#fields;
    for (let index = from; index < fields.length; index += 1) if (this.fieldAt(index).name === name) return index;
    return -1;
  }

  get(name: string): string | undefined {
    const index = this.indexOf(name);
    return index < 0 ? undefined : this.valueAt(index);
  }

  isHopByHop(index: number): boolean {
    const name = this.fieldAt(index).kind & NAME_MASK;
    return name === CONTENT_LENGTH || name === TE || name === OTHER_HOP_BY_HOP;
  }
}
