/** Ids come round again after so many fields: whoever remembers one compares the field itself. */
const ID_MASK = 0x3fff_ffff;
let fieldsMade = 0;

/**
 * One field, made when its text arrives or is first written, and shared from then on by tables and heads, so that what
 * was found out about it once need not be found out again.
 */
export class HeaderField {
  readonly name: string;
  readonly value: string;
  /** Bits of `field-kind.ts`. */
  readonly kind: number;
  /** Where the static table has it, or 0. */
  readonly staticIndex: number;
  /** Spreads fields over the slots of those who remember some. */
  readonly id: number;
  /** See `nameBit`. */
  readonly nameBit: number;

  constructor(name: string, value: string, kind: number, staticIndex = 0) {
    this.name = name;
    this.value = value;
    this.kind = kind;
    this.staticIndex = staticIndex;
    fieldsMade = (fieldsMade + 1) & ID_MASK;
    this.id = fieldsMade;
    this.nameBit = nameBit(name);
  }
}

/** One of 32 bits that a name sets: a head in which it is not set has no such field. */
export function nameBit(name: string): number {
  return 1 << (name.length * 3 + name.charCodeAt(name.length - 1));
}
