import type { HeaderFields } from '../header-fields.ts';
import { checkedName, checkedValue } from './checked-text.ts';
import { isForbiddenTrailer } from './protected-names.ts';

/** After the bytes of a chunk. */
export const CHUNK_END = '\r\n';
/** Ends a chunked body that has no trailers. */
export const LAST_CHUNK = '0\r\n\r\n';

/** Before the bytes of a chunk. Length 0 would end the body, so it is refused: write nothing instead. */
export function chunkPrefix(length: number): string {
  if (!(length > 0))
    throw new RangeError(`chunkPrefix(${length}): a chunk holds at least one byte; end with LAST_CHUNK`);
  return `${length.toString(16)}\r\n`;
}

/** Ends a chunked body that has trailers. Those that may not stand in a trailer section are left out (RFC 9110 §6.5.1). */
export function encodeTrailers(fields: HeaderFields): string {
  let text = '0\r\n';
  for (let index = 0; index < fields.count; index += 1) {
    const name = fields.nameAt(index);
    if (!isForbiddenTrailer(name)) text += `${checkedName(name)}: ${checkedValue(name, fields.valueAt(index))}\r\n`;
  }
  return `${text}\r\n`;
}
