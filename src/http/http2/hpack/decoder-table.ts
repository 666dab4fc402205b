/** RFC 7541 §4.1: what an entry costs beyond its text. */
export const ENTRY_OVERHEAD_BYTES = 32;
export const MAX_TABLE_BYTES = 4096;
const SLOTS = MAX_TABLE_BYTES / ENTRY_OVERHEAD_BYTES;

/** The dynamic table a peer's encoder fills: a ring, the newest entry first. */
export class DecoderTable {
  /** Counts changes: unchanged means that every index still says the same. */
  version = 0;
  count = 0;
  #bytes = 0;
  #maxBytes = MAX_TABLE_BYTES;
  #newest = 0;
  readonly #names: string[] = new Array<string>(SLOTS).fill('');
  readonly #values: string[] = new Array<string>(SLOTS).fill('');
  readonly #kinds = new Uint8Array(SLOTS);

  /** `position` 0 is the newest entry; the caller has checked it against `count`. */
  nameAt(position: number): string {
    return this.#names[(this.#newest - position) & (SLOTS - 1)] as string;
  }

  valueAt(position: number): string {
    return this.#values[(this.#newest - position) & (SLOTS - 1)] as string;
  }

  kindAt(position: number): number {
    return this.#kinds[(this.#newest - position) & (SLOTS - 1)] as number;
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
  insert(name: string, value: string, kind: number): void {
    const bytes = name.length + value.length + ENTRY_OVERHEAD_BYTES;
    this.version += 1;
    this.#evictDownTo(this.#maxBytes - bytes);
    if (bytes > this.#maxBytes) return;
    this.#newest = (this.#newest + 1) & (SLOTS - 1);
    this.#names[this.#newest] = name;
    this.#values[this.#newest] = value;
    this.#kinds[this.#newest] = kind;
    this.#bytes += bytes;
    this.count += 1;
  }

  #evictDownTo(bytes: number): void {
    while (this.count > 0 && this.#bytes > bytes) {
      const oldest = (this.#newest - this.count + 1) & (SLOTS - 1);
      const name = this.#names[oldest] as string;
      const value = this.#values[oldest] as string;
      this.#bytes -= name.length + value.length + ENTRY_OVERHEAD_BYTES;
      this.#names[oldest] = '';
      this.#values[oldest] = '';
      this.count -= 1;
      this.version += 1;
    }
  }
}
