import { COLON, HOST_NAME, IP_LITERAL } from './byte-class.ts';

const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const HIGHEST_PORT = 65535;
const MAX_PORT_DIGITS = 5;

/**
 * True where `text` [start, end) is `name`, `name:port`, `[address]` or `[address]:port`: one host, no userinfo, list, path
 * or empty port. Works on a range so that the raw head need not be sliced.
 */
export function isAuthority(text: string, start: number, end: number): boolean {
  const isLiteral = text.charCodeAt(start) === OPEN_BRACKET;
  const nameEnd = isLiteral ? endOfIpLiteral(text, start, end) : endOfName(text, start, end);
  if (nameEnd <= start) return false;
  return nameEnd === end || (text.charCodeAt(nameEnd) === COLON && isPort(text, nameEnd + 1, end));
}

/** The same with a port, as CONNECT requires (RFC 9110 §9.3.6). */
export function isAuthorityWithPort(text: string): boolean {
  return isAuthority(text, 0, text.length) && /:[0-9]+$/.test(text);
}

function endOfName(text: string, start: number, end: number): number {
  let index = start;
  while (index < end && HOST_NAME[text.charCodeAt(index)] === 1) index += 1;
  return index;
}

/** One past the closing bracket, or −1. At least one colon stands in an IPv6 address. */
function endOfIpLiteral(text: string, start: number, end: number): number {
  let index = start + 1;
  let colons = 0;
  while (index < end && IP_LITERAL[text.charCodeAt(index)] === 1) {
    if (text.charCodeAt(index) === COLON) colons += 1;
    index += 1;
  }
  const isClosed = index < end && text.charCodeAt(index) === CLOSE_BRACKET;
  return isClosed && colons > 0 && index - start > 2 ? index + 1 : -1;
}

function isPort(text: string, start: number, end: number): boolean {
  if (end === start || end - start > MAX_PORT_DIGITS) return false;
  let port = 0;
  for (let index = start; index < end; index += 1) {
    const digit = text.charCodeAt(index) - 0x30;
    if (digit < 0 || digit > 9) return false;
    port = port * 10 + digit;
  }
  return port <= HIGHEST_PORT;
}
