import { HUFFMAN_BITS, HUFFMAN_CODES } from './huffman-code.ts';

/** Bytes that `text` (latin1) takes when coded. */
export function huffmanLength(text: string): number {
  let bits = 0;
  for (let index = 0; index < text.length; index += 1) bits += HUFFMAN_BITS[text.charCodeAt(index)] as number;
  return (bits + 7) >>> 3;
}

/** Writes `text` (latin1) coded at `at` and answers where it ends. The caller has made room. */
export function huffmanEncode(text: string, into: Uint8Array, at: number): number {
  let position = at;
  let pending = 0;
  let pendingBits = 0;
  for (let index = 0; index < text.length; index += 1) {
    const symbol = text.charCodeAt(index);
    const code = HUFFMAN_CODES[symbol] as number;
    let bits = HUFFMAN_BITS[symbol] as number;
    // Up to 30 bits of code after up to 7 pending ones do not fit in 32: the upper part goes first.
    if (bits > 16) {
      pending = (pending << (bits - 16)) | (code >>> 16);
      pendingBits += bits - 16;
      while (pendingBits >= 8) {
        pendingBits -= 8;
        into[position++] = pending >>> pendingBits;
      }
      pending &= (1 << pendingBits) - 1;
      bits = 16;
    }
    pending = (pending << bits) | (code & ((1 << bits) - 1));
    pendingBits += bits;
    while (pendingBits >= 8) {
      pendingBits -= 8;
      into[position++] = pending >>> pendingBits;
    }
    pending &= (1 << pendingBits) - 1;
  }
  // RFC 7541 §5.2: filled up with ones, the first bits of the end mark.
  if (pendingBits > 0) into[position++] = (pending << (8 - pendingBits)) | (0xff >>> pendingBits);
  return position;
}
