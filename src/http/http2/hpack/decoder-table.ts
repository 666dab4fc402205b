import { HeaderField } from './header-field.ts';

/** RFC 7541 §4.1: what an entry costs beyond its text. */
export const ENTRY_OVERHEAD_BYTES = 32;
export const MAX_TABLE_BYTES = 4096;
const SLOTS = MAX_TABLE_BYTES / ENTRY_OVERHEAD_BYTES;
const NO_FIELD = new HeaderField('', '', 0);

/** The dynamic table a peer's encoder fills: a ring, the newest entry first. */
export class DecoderTable {
  /** Counts changes: unchanged means that every index still says the same. */
  version = 0;
  count = 0;
  #bytes = 0;
  #maxBytes = MAX_TABLE_BYTES;
  #newest = 0;
  readonly #fields: HeaderField[] = new Array<HeaderField>(SLOTS).fill(NO_FIELD);

  /** `position` 0 is the newest entry; the caller has checked it against `count`. */
  fieldAt(position: number): HeaderField {
    return this.#fields[(this.#newest - position) & (SLOTS - 1)] as HeaderField;
  }

  get maxBytes(): number {
    return this.#maxBytes;
  }

  resize(maxBytes: number): void {
    this.version += 1;
    this.#maxBytes = maxBytes;
    this.#evictDownTo(maxBytes);
  }

  /** An entry larger than the table empties it and is not kept (RFC 7541 §4.4). */
  insert(field: HeaderField): void {
    const bytes = tableBytes(field);
    this.version += 1;
    this.#evictDownTo(this.#maxBytes - bytes);
    if (bytes > this.#maxBytes) return;
    this.#newest = (this.#newest + 1) & (SLOTS - 1);
    this.#fields[this.#newest] = field;
    this.#bytes += bytes;
    this.count += 1;
  }

  #evictDownTo(bytes: number): void {
    while (this.count > 0 && this.#bytes > bytes) {
      const oldest = (this.#newest - this.count + 1) & (SLOTS - 1);
      this.#bytes -= tableBytes(this.#fields[oldest] as HeaderField);
      this.#fields[oldest] = NO_FIELD;
      this.count -= 1;
      this.version += 1;
    }
  }
}

function tableBytes({ name, value }: HeaderField): number {
  return name.length + value.length + ENTRY_OVERHEAD_BYTES;
}
