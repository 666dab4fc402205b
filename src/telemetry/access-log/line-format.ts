import type { AccessLogFormat } from '../../resource/access-logger.ts';
import type { StreamRecord } from '../stream-record.ts';
import { DEFAULT_TEXT_FORMAT, type FormatPiece, parseFormatString } from './format-string.ts';
import type { FieldValue } from './record-fields.ts';

/** Makes one line, line end included, of one record. */
export type LineFormatter = (record: StreamRecord, originMs: number) => string;

/** Every field of a record, for those who want JSON and have no wishes. */
export const DEFAULT_JSON_FORMAT: Readonly<Record<string, string>> = {
  start_time: '%START_TIME%',
  method: '%REQ(:METHOD)%',
  path: '%REQ(:PATH)%',
  authority: '%REQ(:AUTHORITY)%',
  protocol: '%PROTOCOL%',
  response_code: '%RESPONSE_CODE%',
  response_code_details: '%RESPONSE_CODE_DETAILS%',
  response_flags: '%RESPONSE_FLAGS%',
  bytes_received: '%BYTES_RECEIVED%',
  bytes_sent: '%BYTES_SENT%',
  duration: '%DURATION%',
  upstream_service_time: '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%',
  upstream_cluster: '%UPSTREAM_CLUSTER%',
  upstream_host: '%UPSTREAM_HOST%',
  upstream_attempts: '%UPSTREAM_REQUEST_ATTEMPT_COUNT%',
  route_name: '%ROUTE_NAME%',
  user_agent: '%REQ(USER-AGENT)%',
  request_id: '%REQ(X-REQUEST-ID)%',
  downstream_remote_address: '%DOWNSTREAM_REMOTE_ADDRESS%',
  downstream_local_address: '%DOWNSTREAM_LOCAL_ADDRESS%',
  trace_id: '%TRACE_ID%',
};

/** JSON text of one value, or undefined where the record has none. */
type JsonWriter = (record: StreamRecord, originMs: number) => string | undefined;

const MAX_JSON_DEPTH = 8;

/** Compiles a format when configuration arrives; lists every fault in it. */
export function compileAccessLogFormat(
  format: AccessLogFormat,
):
  | { readonly ok: true; readonly formatter: LineFormatter }
  | { readonly ok: false; readonly faults: readonly string[] } {
  switch (format.kind) {
    case 'default':
      return compileText(DEFAULT_TEXT_FORMAT, '-');
    case 'text':
      return compileText(format.text, format.omitEmptyValues ? '' : '-');
    case 'json':
      return compileJson(format.json, format.omitEmptyValues);
  }
}

function compileText(format: string, absent: string): ReturnType<typeof compileAccessLogFormat> {
  // The line end is ours: one request is one line whatever the format says.
  const { pieces, faults } = parseFormatString(format.replace(/\n$/, ''));
  if (faults.length > 0) return { ok: false, faults };
  const onOneLine = pieces.map((piece) => (typeof piece === 'string' ? piece.replaceAll(/[\r\n]+/g, ' ') : piece));
  return { ok: true, formatter: (record, originMs) => `${joined(onOneLine, record, originMs, escapeText, absent)}\n` };
}

function compileJson(
  template: Readonly<Record<string, unknown>>,
  omitEmpty: boolean,
): ReturnType<typeof compileAccessLogFormat> {
  const faults: string[] = [];
  const writer = objectWriter(template, omitEmpty, '', 0, faults);
  if (faults.length > 0) return { ok: false, faults };
  return { ok: true, formatter: (record, originMs) => `${writer(record, originMs) ?? '{}'}\n` };
}

function jsonWriter(template: unknown, omitEmpty: boolean, path: string, depth: number, faults: string[]): JsonWriter {
  if (typeof template === 'string') return stringWriter(template, omitEmpty, path, faults);
  if (typeof template !== 'object' || template === null) {
    const literal = JSON.stringify(template) ?? 'null';
    return () => literal;
  }
  if (depth >= MAX_JSON_DEPTH) {
    faults.push(`${path}: nested deeper than ${MAX_JSON_DEPTH}`);
    return () => undefined;
  }
  if (!Array.isArray(template)) return objectWriter(template, omitEmpty, path, depth, faults);
  const items = template.map((item, index) => jsonWriter(item, omitEmpty, `${path}[${index}]`, depth + 1, faults));
  return (record, originMs) => `[${items.map((item) => item(record, originMs) ?? 'null').join()}]`;
}

function objectWriter(template: object, omitEmpty: boolean, path: string, depth: number, faults: string[]): JsonWriter {
  const members = Object.entries(template).map(([name, value]) => ({
    key: `${JSON.stringify(name)}:`,
    write: jsonWriter(value, omitEmpty, path === '' ? name : `${path}.${name}`, depth + 1, faults),
  }));
  return (record, originMs) => {
    let text = '{';
    for (const { key, write } of members) {
      const value = write(record, originMs);
      if (value === undefined && omitEmpty) continue;
      text += `${text === '{' ? '' : ','}${key}${value ?? 'null'}`;
    }
    return `${text}}`;
  };
}

/** A single operator keeps its type, as in Envoy: numbers stay numbers, absence is null. */
function stringWriter(format: string, omitEmpty: boolean, path: string, faults: string[]): JsonWriter {
  const { pieces, faults: found } = parseFormatString(format);
  faults.push(...found.map((fault) => `${path}: ${fault}`));
  const [only] = pieces;
  if (pieces.length !== 1 || typeof only !== 'function') {
    const absent = omitEmpty ? '' : '-';
    return (record, originMs) => JSON.stringify(joined(pieces, record, originMs, decodeWire, absent));
  }
  return (record, originMs) => {
    const value = only(record, originMs);
    if (typeof value === 'string') return JSON.stringify(decodeWire(value));
    return value === undefined ? undefined : String(value);
  };
}

function joined(
  pieces: readonly FormatPiece[],
  record: StreamRecord,
  originMs: number,
  textOf: (value: string) => string,
  absent: string,
): string {
  let line = '';
  for (const piece of pieces) {
    line += typeof piece === 'string' ? piece : valueText(piece(record, originMs), textOf, absent);
  }
  return line;
}

function valueText(value: FieldValue, textOf: (value: string) => string, absent: string): string {
  if (value === undefined) return absent;
  return typeof value === 'number' ? String(value) : textOf(value);
}

const NOT_PLAIN = /[^\x20-\x7e]|["\\]/;

/** Quotes, backslashes and everything that is not printable ASCII as `\xNN`, so that no value ends a field or a line. */
function escapeText(value: string): string {
  if (!NOT_PLAIN.test(value)) return value;
  return value.replaceAll(/[^\x20-\x7e]|["\\]/g, (character) => {
    const code = character.charCodeAt(0);
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

/** Wire text is bytes read as latin1; JSON wants the characters they spell. */
function decodeWire(value: string): string {
  let highest = 0;
  for (let index = 0; index < value.length; index += 1) highest = Math.max(highest, value.charCodeAt(index));
  return highest < 0x80 || highest > 0xff ? value : Buffer.from(value, 'latin1').toString('utf8');
}
