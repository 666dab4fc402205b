import { judgedName, kindOfName } from './field-kind.ts';
import { HeaderField } from './header-field.ts';

/** RFC 7541 Appendix A. Index 1 is the first row. */
const ROWS: readonly (readonly [string, string])[] = [
  [':authority', ''],
  [':method', 'GET'],
  [':method', 'POST'],
  [':path', '/'],
  [':path', '/index.html'],
  [':scheme', 'http'],
  [':scheme', 'https'],
  [':status', '200'],
  [':status', '204'],
  [':status', '206'],
  [':status', '304'],
  [':status', '400'],
  [':status', '404'],
  [':status', '500'],
  ['accept-charset', ''],
  ['accept-encoding', 'gzip, deflate'],
  ['accept-language', ''],
  ['accept-ranges', ''],
  ['accept', ''],
  ['access-control-allow-origin', ''],
  ['age', ''],
  ['allow', ''],
  ['authorization', ''],
  ['cache-control', ''],
  ['content-disposition', ''],
  ['content-encoding', ''],
  ['content-language', ''],
  ['content-length', ''],
  ['content-location', ''],
  ['content-range', ''],
  ['content-type', ''],
  ['cookie', ''],
  ['date', ''],
  ['etag', ''],
  ['expect', ''],
  ['expires', ''],
  ['from', ''],
  ['host', ''],
  ['if-match', ''],
  ['if-modified-since', ''],
  ['if-none-match', ''],
  ['if-range', ''],
  ['if-unmodified-since', ''],
  ['last-modified', ''],
  ['link', ''],
  ['location', ''],
  ['max-forwards', ''],
  ['proxy-authenticate', ''],
  ['proxy-authorization', ''],
  ['range', ''],
  ['referer', ''],
  ['refresh', ''],
  ['retry-after', ''],
  ['server', ''],
  ['set-cookie', ''],
  ['strict-transport-security', ''],
  ['transfer-encoding', ''],
  ['user-agent', ''],
  ['vary', ''],
  ['via', ''],
  ['www-authenticate', ''],
];

export const STATIC_TABLE_SIZE = 61;

/** By index; entry 0 is unused. */
export const STATIC_FIELDS: readonly HeaderField[] = [['', ''] as const, ...ROWS].map(
  ([name, value], index) => new HeaderField(name, value, name === '' ? 0 : kindOfName(name), index),
);

const BY_NAME = Map.groupBy(STATIC_FIELDS, ({ name }) => name);

/** A field of that text: the static table's own where it has it. */
export function fieldOf(name: string, value: string): HeaderField {
  const inTable = BY_NAME.get(name)?.find((field) => field.value === value);
  if (inTable !== undefined) return inTable;
  const judged = judgedName(name);
  return new HeaderField(judged.name, value, judged.kind);
}
