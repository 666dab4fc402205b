import { type FieldReader, type FieldValue, OPERATORS, REQUEST_HEADERS, RESPONSE_HEADERS } from './record-fields.ts';

/** A format string in pieces: text to be written as it is, and values to be read. */
export type FormatPiece = string | FieldReader;

/** Envoy's default, with its line end. */
export const DEFAULT_TEXT_FORMAT =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% ' +
  '%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" ' +
  '"%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"\n';

const MAX_FORMAT_LENGTH = 16_384;
const OPERATOR = /%(?:%|([A-Z0-9_]+)(?:\(([^)]*)\))?(?::(\d{1,5}))?%)/g;

/**
 * Takes Envoy's command operators apart. A header that a record does not keep reads as absent; an operator that is not
 * known here is a fault that names it. All faults are told, not the first alone.
 */
export function parseFormatString(format: string): {
  readonly pieces: readonly FormatPiece[];
  readonly faults: readonly string[];
} {
  if (format.length > MAX_FORMAT_LENGTH) {
    return { pieces: [], faults: [`format is longer than ${MAX_FORMAT_LENGTH} characters`] };
  }
  const pieces: FormatPiece[] = [];
  const faults: string[] = [];
  let literalFrom = 0;
  const literal = (to: number): void => {
    const between = format.slice(literalFrom, to);
    if (between.includes('%')) faults.push(`stray % in "${between}"; write %% for a percent sign`);
    if (between !== '') pieces.push(between);
  };
  for (const match of format.matchAll(OPERATOR)) {
    literal(match.index);
    literalFrom = match.index + match[0].length;
    const [whole, name, argument, maxLength] = match;
    if (whole === '%%') pieces.push('%');
    else addOperator(pieces, faults, name ?? '', argument, maxLength);
  }
  literal(format.length);
  return { pieces, faults };
}

function addOperator(
  pieces: FormatPiece[],
  faults: string[],
  name: string,
  argument: string | undefined,
  maxLength: string | undefined,
): void {
  const reader = operatorReader(name, argument);
  if (reader === undefined) faults.push(`%${name}% is not supported`);
  else pieces.push(maxLength === undefined ? reader : truncated(reader, Number(maxLength)));
}

function operatorReader(name: string, argument: string | undefined): FieldReader | undefined {
  if (name === 'REQ' && argument !== undefined) return headerReader(REQUEST_HEADERS, argument);
  if (name === 'RESP' && argument !== undefined) return headerReader(RESPONSE_HEADERS, argument);
  // An argument to START_TIME is a strftime pattern; the default is the one that sorts.
  return argument === undefined ? OPERATORS.get(name) : undefined;
}

/** `X?Y`: the first of the two that is there. */
function headerReader(known: ReadonlyMap<string, FieldReader>, argument: string): FieldReader {
  const readers = argument
    .toLowerCase()
    .split('?', 2)
    .flatMap((name) => known.get(name) ?? []);
  return (record, originMs) => {
    for (const read of readers) {
      const value = read(record, originMs);
      if (value !== undefined) return value;
    }
    return undefined;
  };
}

function truncated(reader: FieldReader, maxLength: number): FieldReader {
  return (record, originMs): FieldValue => {
    const value = reader(record, originMs);
    return value === undefined ? undefined : String(value).slice(0, maxLength);
  };
}
