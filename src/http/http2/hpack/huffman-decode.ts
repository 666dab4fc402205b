import { END_SYMBOL, HUFFMAN_BITS, HUFFMAN_CODES } from './huffman-code.ts';

/**
 * Eight bits are looked up at once. An entry is a leaf (its bits in this node << 9 | symbol) or, with NODE set, the node
 * where the code goes on.
 */
const NODE = 0x8000;
const SYMBOL_MASK = 0x1ff;
const BITS_SHIFT = 9;
const TABLE = buildTable();

/** Most bytes that `length` coded bytes can hold: the shortest code has five bits. */
export function longestDecoded(length: number): number {
  return Math.ceil((length * 8) / 5);
}

/**
 * Decodes bytes [start, end) to `into` from 0 on, and answers how many came out, or −1 where the coding is wrong: the end
 * mark inside, more than seven bits of filling, or filling that is not all ones (RFC 7541 §5.2).
 */
export function huffmanDecode(bytes: Uint8Array, start: number, end: number, into: Uint8Array): number {
  let written = 0;
  let window = 0;
  let bits = 0;
  let node = 0;
  for (let at = start; at < end; at += 1) {
    window = ((window << 8) | (bytes[at] as number)) & 0xffff;
    bits += 8;
    while (bits >= 8) {
      const entry = TABLE[node | ((window >>> (bits - 8)) & 0xff)] as number;
      if ((entry & NODE) !== 0) {
        node = (entry & ~NODE) << 8;
        bits -= 8;
      } else {
        const symbol = entry & SYMBOL_MASK;
        if (symbol === END_SYMBOL) return -1;
        into[written++] = symbol;
        bits -= entry >>> BITS_SHIFT;
        node = 0;
      }
    }
  }
  return finish(into, written, window, bits, node);
}

/** Fewer than eight bits are left: perhaps one or more codes, then filling. */
function finish(into: Uint8Array, decoded: number, window: number, bitsLeft: number, startNode: number): number {
  let written = decoded;
  let bits = bitsLeft;
  let node = startNode;
  while (bits > 0) {
    const filled = ((window << (8 - bits)) | (0xff >>> bits)) & 0xff;
    const entry = TABLE[node | filled] as number;
    if ((entry & NODE) !== 0 || entry >>> BITS_SHIFT > bits) {
      return node === 0 && filled === 0xff ? written : -1;
    }
    if ((entry & SYMBOL_MASK) === END_SYMBOL) return -1;
    into[written++] = entry & SYMBOL_MASK;
    bits -= entry >>> BITS_SHIFT;
    node = 0;
  }
  return node === 0 ? written : -1;
}

function buildTable(): Uint16Array {
  const nodes: number[][] = [new Array<number>(256).fill(0)];
  for (let symbol = 0; symbol <= END_SYMBOL; symbol += 1) insert(nodes, symbol);
  return Uint16Array.from(nodes.flat());
}

function insert(nodes: number[][], symbol: number): void {
  const code = HUFFMAN_CODES[symbol] as number;
  let bits = HUFFMAN_BITS[symbol] as number;
  let node = nodes[0] as number[];
  while (bits > 8) {
    const slot = (code >>> (bits - 8)) & 0xff;
    const entry = node[slot] as number;
    if (entry === 0) {
      node[slot] = NODE | nodes.length;
      nodes.push(new Array<number>(256).fill(0));
    }
    node = nodes[(node[slot] as number) & ~NODE] as number[];
    bits -= 8;
  }
  const first = (code << (8 - bits)) & 0xff;
  for (let filling = 0; filling < 1 << (8 - bits); filling += 1) node[first + filling] = (bits << BITS_SHIFT) | symbol;
}
