/** W3C Trace Context, level 1: https://www.w3.org/TR/trace-context/ */

const TRACEPARENT_LENGTH = 55;
const MAX_TRACESTATE_LENGTH = 512;
const MAX_TRACESTATE_MEMBERS = 32;
const DASH = 0x2d;

/**
 * Whether a `traceparent` may be believed (§3.2): version `00` exactly as long as it must be, a later version at least
 * that with a dash behind, lower-case hex, no all-zero identifier, never version `ff`. Two joined headers fail the length.
 */
export function isTraceparent(text: string): boolean {
  const { length } = text;
  if (length < TRACEPARENT_LENGTH) return false;
  if (text.charCodeAt(2) !== DASH || text.charCodeAt(35) !== DASH || text.charCodeAt(52) !== DASH) return false;
  if (!isLowerHex(text, 0, 2) || !isLowerHex(text, 53, 55)) return false;
  if (length > TRACEPARENT_LENGTH) {
    if (text.charCodeAt(TRACEPARENT_LENGTH) !== DASH || text.startsWith('00')) return false;
  }
  if (text.startsWith('ff')) return false;
  return isIdentifier(text, 3, 35) && isIdentifier(text, 36, 52);
}

/** The sampled bit of a `traceparent` that `isTraceparent` accepted: the lowest bit of its last hex digit. */
export function isSampledFlagSet(traceparent: string): boolean {
  const code = traceparent.charCodeAt(54);
  // '0'..'9' have the parity of their value; 'a' is 0x61 and stands for ten, so letters have the opposite one.
  return ((code > 0x39 ? code + 1 : code) & 1) === 1;
}

/**
 * A `tracestate` that may be kept (§3.3): at most 32 members and 512 characters, keys and values in their alphabets, no
 * key twice. Anything else gives '' and the trace goes on without it.
 */
export function checkedTracestate(text: string): string {
  if (text.length > MAX_TRACESTATE_LENGTH) return '';
  const members: string[] = [];
  const keys = new Set<string>();
  for (const part of text.split(',')) {
    const member = part.replaceAll(/^[ \t]+|[ \t]+$/g, '');
    if (member === '') continue;
    const equals = member.indexOf('=');
    const key = member.slice(0, Math.max(equals, 0));
    if (!KEY.test(key) || !VALUE.test(member.slice(equals + 1)) || keys.has(key)) return '';
    keys.add(key);
    members.push(member);
  }
  return members.length > MAX_TRACESTATE_MEMBERS ? '' : members.join(',');
}

/** §3.3.2.2.1: simple-key, or tenant@system. Applied to at most 512 characters, without nested repetition. */
const KEY = /^(?:[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})$/;
/** §3.3.2.2.2: printable ASCII without comma and equals sign, not ending in a space. */
const VALUE = /^[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

/** 1 for a lower-case hex digit that is not 0, 2 for 0, else 0. */
const HEX_CLASS = Uint8Array.from({ length: 256 }, (_, code) =>
  code === 0x30 ? 2 : (code >= 0x31 && code <= 0x39) || (code >= 0x61 && code <= 0x66) ? 1 : 0,
);

function isIdentifier(text: string, start: number, end: number): boolean {
  let seen = 0;
  for (let index = start; index < end; index += 1) {
    const hexClass = HEX_CLASS[text.charCodeAt(index)] ?? 0;
    if (hexClass === 0) return false;
    seen |= hexClass;
  }
  return (seen & 1) === 1;
}

function isLowerHex(text: string, start: number, end: number): boolean {
  for (let index = start; index < end; index += 1) if (!HEX_CLASS[text.charCodeAt(index)]) return false;
  return true;
}
