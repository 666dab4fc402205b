import { ENTRY_OVERHEAD_BYTES, MAX_TABLE_BYTES } from './decoder-table.ts';
import type { HeaderField } from './header-field.ts';
import { STATIC_FIELDS, STATIC_TABLE_SIZE } from './static-table.ts';

const SLOTS = MAX_TABLE_BYTES / ENTRY_OVERHEAD_BYTES;

interface Entry {
  readonly name: string;
  readonly value: string;
  /** Which insertion it was, from 0. */
  readonly sequence: number;
  readonly bytes: number;
}

interface StaticName {
  readonly firstIndex: number;
  readonly values: readonly string[];
}

const STATIC_ENTRIES = staticEntries();

/** What the peer's decoder holds because of us, searchable by text. */
export class EncoderTable {
  #maxBytes = MAX_TABLE_BYTES;
  #bytes = 0;
  #insertions = 0;
  #count = 0;
  readonly #ring: (Entry | undefined)[] = [];
  readonly #byName = new Map<string, Entry[]>();

  get maxBytes(): number {
    return this.#maxBytes;
  }

  /** Index of the field; or, where only its name is there, the negated index of that; or 0. */
  find(name: string, value: string): number {
    const entries = this.#byName.get(name);
    if (entries !== undefined) {
      for (let at = entries.length - 1; at >= 0; at -= 1) {
        const entry = entries[at] as Entry;
        if (entry.value === value) return this.indexOf(entry.sequence);
      }
    }
    const fixed = STATIC_ENTRIES.get(name);
    if (fixed !== undefined) {
      const at = fixed.values.indexOf(value);
      return at >= 0 ? fixed.firstIndex + at : -fixed.firstIndex;
    }
    return entries === undefined ? 0 : -this.indexOf((entries[entries.length - 1] as Entry).sequence);
  }

  /** Index of the entry that came in as that one; 0 where it is gone. */
  indexOf(sequence: number): number {
    const age = this.#insertions - sequence;
    return age <= this.#count ? STATIC_TABLE_SIZE + age : 0;
  }

  /** Which insertion the entry at an index of the dynamic part was. */
  sequenceAt(index: number): number {
    return this.#insertions + STATIC_TABLE_SIZE - index;
  }

  /** Answers whether it is there now: what is larger than the table only empties it. */
  insert(name: string, value: string): boolean {
    const bytes = name.length + value.length + ENTRY_OVERHEAD_BYTES;
    this.#evictDownTo(this.#maxBytes - bytes);
    if (bytes > this.#maxBytes) return false;
    const entry: Entry = { name, value, sequence: this.#insertions, bytes };
    this.#ring[this.#insertions % SLOTS] = entry;
    const sameName = this.#byName.get(name);
    if (sameName === undefined) this.#byName.set(name, [entry]);
    else sameName.push(entry);
    this.#insertions += 1;
    this.#count += 1;
    this.#bytes += bytes;
    return true;
  }

  resize(maxBytes: number): void {
    this.#maxBytes = maxBytes;
    this.#evictDownTo(maxBytes);
  }

  #evictDownTo(bytes: number): void {
    while (this.#count > 0 && this.#bytes > bytes) {
      const slot = (this.#insertions - this.#count) % SLOTS;
      const oldest = this.#ring[slot] as Entry;
      this.#ring[slot] = undefined;
      this.#count -= 1;
      this.#bytes -= oldest.bytes;
      // Entries of one name stand in order of insertion: the oldest of all is the first of its name.
      const sameName = this.#byName.get(oldest.name) as Entry[];
      if (sameName.length === 1) this.#byName.delete(oldest.name);
      else sameName.shift();
    }
  }
}

/** Rows of one name stand together in the static table. */
function staticEntries(): ReadonlyMap<string, StaticName> {
  const entries = new Map<string, { firstIndex: number; values: string[] }>();
  for (let index = 1; index <= STATIC_TABLE_SIZE; index += 1) {
    const { name, value } = STATIC_FIELDS[index] as HeaderField;
    const known = entries.get(name);
    if (known === undefined) entries.set(name, { firstIndex: index, values: [value] });
    else known.values.push(value);
  }
  return entries;
}
