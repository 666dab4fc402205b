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

/** Fields that several connections say: most clients of a worker say nearly the same. */
const SHARED_FIELDS = 512;
const LONGEST_SHARED_TEXT = 256;
const sharedFields: (HeaderField | undefined)[] = new Array<HeaderField | undefined>(SHARED_FIELDS).fill(undefined);

/**
 * A field of that text, the same object as long as nothing has taken its slot: so that an encoder finds the field of a
 * second connection where it remembers that of the first. For fields that are said to come again, and so are few.
 */
export function sharedField(name: string, value: string, kind: number): HeaderField {
  const { length } = value;
  if (name.length + length > LONGEST_SHARED_TEXT) return new HeaderField(name, value, kind);
  let hash = name.length * 31 + name.charCodeAt(name.length - 1) + length * 7;
  for (let at = 0; at < length; at += 1) hash = (hash * 31 + value.charCodeAt(at)) | 0;
  const slot = hash & (SHARED_FIELDS - 1);
  const known = sharedFields[slot];
  if (known !== undefined && known.value === value && known.name === name && known.kind === kind) return known;
  const field = new HeaderField(name, value, kind);
  sharedFields[slot] = field;
  return field;
}
