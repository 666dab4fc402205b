/**
 * The last check before bytes leave: a head parses the same way under every parser, strict or sloppy. Written apart from the
 * scanners on purpose, so that one mistake does not excuse itself.
 */

const REQUEST_LINE = /^[A-Z0-9_-]{1,32} [!-"$-~]+ HTTP\/1\.1$/;
const STATUS_LINE = /^HTTP\/1\.1 [1-5][0-9]{2} [ -~]*$/;
const FIELD_LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ?([\t -~\u0080-\u00ff]*)$/;
const LENGTH = /^(?:0|[1-9][0-9]{0,14})$/;
const AUTHORITY = /^(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?$/;
const ONLY_ONCE = new Set(['host', 'content-length', 'transfer-encoding', 'connection', 'upgrade']);
const NEVER = new Set(['keep-alive', 'proxy-connection', 'te', 'http2-settings']);
const CONNECTION_VALUES = new Set(['close', 'keep-alive', 'upgrade']);

/** A head was about to be written that is not in our one form: a mistake in an encoder, never a peer's doing. */
export class NonCanonicalOutputError extends Error {
  override readonly name = 'NonCanonicalOutputError';
}

let isEnabled = false;

/** Turns the check at the last write step on or off for this thread. On in tests and fuzzing, off in production. */
export function setCanonicalCheck(enabled: boolean): void {
  isEnabled = enabled;
}

/** Passes a finished head through, checked where the check is on. */
export function canonical(text: string): string {
  if (isEnabled) assertCanonicalOutput(text);
  return text;
}

/** Throws where a head about to be written is not in the one form we write. */
export function assertCanonicalOutput(text: string): void {
  if (!text.endsWith('\r\n\r\n')) throw failure('does not end with an empty line', text);
  const [startLine = '', ...lines] = text.slice(0, -4).split('\r\n');
  const isRequest = !startLine.startsWith('HTTP/');
  if (!(isRequest ? REQUEST_LINE : STATUS_LINE).test(startLine)) throw failure('start line', startLine);
  const single = new Map<string, string>();
  for (const line of lines) assertFieldLine(line, single);
  assertFraming(single);
  const host = single.get('host');
  if (isRequest && (host === undefined || !AUTHORITY.test(host))) throw failure('Host', host ?? '(none)');
}

function assertFieldLine(line: string, single: Map<string, string>): void {
  const [, name, value] = FIELD_LINE.exec(line) ?? [];
  if (name === undefined || value === undefined) throw failure('field line', line);
  if (value !== '' && /^[ \t]|[ \t]$/.test(value)) throw failure('blanks around a value', line);
  const lowerName = name.toLowerCase();
  if (NEVER.has(lowerName)) throw failure('hop-by-hop field', line);
  if (!ONLY_ONCE.has(lowerName)) return;
  if (single.has(lowerName)) throw failure('repeated field', line);
  single.set(lowerName, value);
}

function assertFraming(single: ReadonlyMap<string, string>): void {
  const length = single.get('content-length');
  const coding = single.get('transfer-encoding');
  const connection = single.get('connection');
  if (length !== undefined && coding !== undefined) throw failure('two framings', `${length}, ${coding}`);
  if (length !== undefined && !LENGTH.test(length)) throw failure('content-length', length);
  if (coding !== undefined && coding !== 'chunked') throw failure('transfer-encoding', coding);
  if (connection !== undefined && !CONNECTION_VALUES.has(connection)) throw failure('connection', connection);
  if ((connection === 'upgrade') !== single.has('upgrade')) throw failure('upgrade', connection ?? '(no connection)');
}

function failure(what: string, text: string): NonCanonicalOutputError {
  return new NonCanonicalOutputError(
    `Not canonical HTTP/1.1: ${what} in ${JSON.stringify(text.slice(0, 200))}; refuse it before it is written`,
  );
}
