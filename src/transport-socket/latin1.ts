/** Buffer's own latin1 reader, which Node has always had and its types do not name; a third faster than toString('latin1'). */
interface WithLatin1Slice {
  latin1Slice(start: number, end: number): string;
}

const native: unknown = Reflect.get(Buffer.prototype, 'latin1Slice');
const isNative = typeof native === 'function';

function hasLatin1Slice(buffer: Buffer): buffer is Buffer & WithLatin1Slice {
  return isNative && buffer.length >= 0;
}

interface WithLatin1Write {
  latin1Write(text: string, offset: number): number;
}

const isWriterNative = typeof Reflect.get(Buffer.prototype, 'latin1Write') === 'function';

function hasLatin1Write(buffer: Buffer): buffer is Buffer & WithLatin1Write {
  return isWriterNative && buffer.length >= 0;
}

/** Bytes [start, end) as text of one character each. */
export function latin1Text(buffer: Buffer, start: number, end: number): string {
  return hasLatin1Slice(buffer) ? buffer.latin1Slice(start, end) : buffer.toString('latin1', start, end);
}

/** Writes latin1 text to a buffer that has room for it. */
export function writeLatin1(buffer: Buffer, text: string, at: number): void {
  if (hasLatin1Write(buffer)) buffer.latin1Write(text, at);
  else buffer.write(text, at, 'latin1');
}

/** Text that may hold any character, as the latin1 text whose bytes are its UTF-8. */
export function utf8AsLatin1(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
