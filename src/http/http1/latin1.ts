/** What every Buffer has and the type declarations leave out: the call `toString('latin1')` ends in, without its detour. */
interface Latin1Sliceable {
  latin1Slice(start: number, end: number): string;
}

/** Bytes [start, end) as text, one character each. */
export function latin1(buffer: Buffer, start: number, end: number): string {
  return (buffer as unknown as Latin1Sliceable).latin1Slice(start, end);
}
