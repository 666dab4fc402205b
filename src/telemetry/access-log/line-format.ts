import type { StreamRecord } from '../stream-record.ts';
import { DEFAULT_TEXT_FORMAT, type FormatPiece, parseFormatString } from './format-string.ts';
import type { FieldValue } from './record-fields.ts';

/** What a line looks like. Without fields JSON has Weft's default ones. */
export type AccessLogFormat =
  | { readonly kind: 'text'; readonly format?: string }
  | { readonly kind: 'json'; readonly fields?: Readonly<Record<string, string>> };

/** Makes one line, line end included, of one record. */
export type LineFormatter = (record: StreamRecord, originMs: number) => string;

const DEFAULT_JSON_FIELDS: Readonly<Record<string, string>> = {
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

/** Compiles a format when configuration arrives; lists every fault in it. */
export function compileAccessLogFormat(
  format: AccessLogFormat,
):
  | { readonly ok: true; readonly formatter: LineFormatter }
  | { readonly ok: false; readonly faults: readonly string[] } {
  return format.kind === 'text'
    ? compileText(format.format ?? DEFAULT_TEXT_FORMAT)
    : compileJson(format.fields ?? DEFAULT_JSON_FIELDS);
}

function compileText(format: string): ReturnType<typeof compileAccessLogFormat> {
  // The line end is ours: one request is one line whatever the format says.
  const { pieces, faults } = parseFormatString(format.replace(/\n$/, ''));
  if (faults.length > 0) return { ok: false, faults };
  const safePieces = pieces.map((piece) => (typeof piece === 'string' ? piece.replaceAll(/[\r\n]+/g, ' ') : piece));
  return { ok: true, formatter: (record, originMs) => `${joined(safePieces, record, originMs, escapeText)}\n` };
}

function compileJson(fields: Readonly<Record<string, string>>): ReturnType<typeof compileAccessLogFormat> {
  const members: { readonly key: string; readonly pieces: readonly FormatPiece[] }[] = [];
  const allFaults: string[] = [];
  for (const [name, format] of Object.entries(fields)) {
    const { pieces, faults } = parseFormatString(format);
    allFaults.push(...faults.map((fault) => `${name}: ${fault}`));
    members.push({ key: `${members.length === 0 ? '{' : ','}${JSON.stringify(name)}:`, pieces });
  }
  if (allFaults.length > 0) return { ok: false, faults: allFaults };
  if (members.length === 0) return { ok: false, faults: ['a JSON format needs at least one field'] };
  return {
    ok: true,
    formatter: (record, originMs) => {
      let line = '';
      for (const { key, pieces } of members) line += key + memberValue(pieces, record, originMs);
      return `${line}}\n`;
    },
  };
}

/** A single operator keeps its type, as in Envoy: numbers stay numbers, absence is null. */
function memberValue(pieces: readonly FormatPiece[], record: StreamRecord, originMs: number): string {
  const [only] = pieces;
  if (pieces.length !== 1 || typeof only !== 'function') {
    return JSON.stringify(joined(pieces, record, originMs, decodeWire));
  }
  const value = only(record, originMs);
  if (value === undefined) return 'null';
  return typeof value === 'number' ? String(value) : JSON.stringify(decodeWire(value));
}

function joined(
  pieces: readonly FormatPiece[],
  record: StreamRecord,
  originMs: number,
  textOf: (value: string) => string,
): string {
  let line = '';
  for (const piece of pieces) {
    line += typeof piece === 'string' ? piece : valueText(piece(record, originMs), textOf);
  }
  return line;
}

function valueText(value: FieldValue, textOf: (value: string) => string): string {
  if (value === undefined) return '-';
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
