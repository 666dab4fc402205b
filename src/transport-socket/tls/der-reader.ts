/** One element of DER (X.690): its identifier octet and where its content lies. */
export interface DerElement {
  readonly tag: number;
  readonly content: Buffer;
}

export const DER_TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  sequence: 0x30,
} as const;

/** Deeper or longer than any certificate's list of extensions. */
const MAX_ELEMENTS = 1_024;
const LONG_FORM = 0x80;
/** Identifiers of more than one octet and lengths of more than four occur in no certificate. */
const MAX_LENGTH_OCTETS = 4;

/**
 * The elements that stand one after the other in some bytes; undefined where the bytes are no DER: a length that runs past
 * the end, one that is not the shortest, one that is indefinite.
 */
export function readDer(bytes: Buffer): readonly DerElement[] | undefined {
  const elements: DerElement[] = [];
  let at = 0;
  while (at < bytes.length) {
    const header = readHeader(bytes, at);
    if (header === undefined || elements.length === MAX_ELEMENTS) return undefined;
    elements.push({ tag: header.tag, content: bytes.subarray(header.start, header.end) });
    at = header.end;
  }
  return elements;
}

/** The elements inside one that has the given tag; undefined where it has another. */
export function readDerInside(element: DerElement | undefined, tag: number): readonly DerElement[] | undefined {
  return element?.tag === tag ? readDer(element.content) : undefined;
}

function readHeader(bytes: Buffer, at: number): { tag: number; start: number; end: number } | undefined {
  const tag = bytes[at];
  const first = bytes[at + 1];
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) return undefined;
  if (first < LONG_FORM) return within(bytes, tag, at + 2, first);
  const octets = first - LONG_FORM;
  if (octets === 0 || octets > MAX_LENGTH_OCTETS || at + 2 + octets > bytes.length) return undefined;
  const length = bytes.readUIntBE(at + 2, octets);
  const isShortest = length >= LONG_FORM && bytes[at + 2] !== 0;
  return isShortest ? within(bytes, tag, at + 2 + octets, length) : undefined;
}

function within(
  bytes: Buffer,
  tag: number,
  start: number,
  length: number,
): { tag: number; start: number; end: number } | undefined {
  const end = start + length;
  return end <= bytes.length ? { tag, start, end } : undefined;
}
