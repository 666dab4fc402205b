const SLOTS = 8;
const LONGEST_BLOCK_BYTES = 64;

interface Slot<T> {
  readonly bytes: Uint8Array;
  length: number;
  variant: number;
  tableVersion: number;
  value: T | undefined;
}

/**
 * Heads by the bytes of their blocks. Where a block changed nothing in the table, the same bytes over the same table mean
 * the same head, which is immutable and can be handed out again: a client that repeats itself costs one comparison.
 */
export class HeadMemo<T> {
  readonly #slots: Slot<T>[] = [];

  static fits(start: number, end: number): boolean {
    return end - start <= LONGEST_BLOCK_BYTES;
  }

  /** `variant` is what else decided the meaning: END_STREAM, the kind of request answered. */
  find(bytes: Uint8Array, start: number, end: number, variant: number, tableVersion: number): T | undefined {
    if (end - start > LONGEST_BLOCK_BYTES) return undefined;
    const slot = this.#slots[slotOf(bytes, start, end)];
    if (slot === undefined || slot.tableVersion !== tableVersion) return undefined;
    if (slot.length !== end - start || slot.variant !== variant) return undefined;
    const known = slot.bytes;
    for (let at = start, index = 0; at < end; at += 1, index += 1) if (known[index] !== bytes[at]) return undefined;
    return slot.value;
  }

  remember(bytes: Uint8Array, start: number, end: number, variant: number, tableVersion: number, value: T): void {
    if (end - start > LONGEST_BLOCK_BYTES) return;
    const slot = this.#slotAt(slotOf(bytes, start, end));
    for (let at = start; at < end; at += 1) slot.bytes[at - start] = bytes[at] as number;
    slot.length = end - start;
    slot.variant = variant;
    slot.tableVersion = tableVersion;
    slot.value = value;
  }

  #slotAt(index: number): Slot<T> {
    while (this.#slots.length <= index) {
      const bytes = new Uint8Array(LONGEST_BLOCK_BYTES);
      this.#slots.push({ bytes, length: 0, variant: 0, tableVersion: 0, value: undefined });
    }
    return this.#slots[index] as Slot<T>;
  }
}

function slotOf(bytes: Uint8Array, start: number, end: number): number {
  const last = bytes[end - 1] ?? 0;
  const middle = bytes[(start + end) >> 1] ?? 0;
  return (last + middle * 3 + (end - start)) & (SLOTS - 1);
}
