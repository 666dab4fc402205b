import { COLON, HOST_NAME, IP_LITERAL } from './byte-class.ts';

const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const HIGHEST_PORT = 65535;
const SHORTEST_IP_LITERAL = 2;

/** True for `name`, `name:port`, `[address]` and `[address]:port`: one host, no userinfo, list, path or empty port. */
export function isAuthority(text: string): boolean {
  const nameEnd = text.charCodeAt(0) === OPEN_BRACKET ? endOfIpLiteral(text) : endOfName(text);
  if (nameEnd <= 0) return false;
  return nameEnd === text.length || (text.charCodeAt(nameEnd) === COLON && isPort(text, nameEnd + 1));
}

/** The same with a port, as CONNECT requires (RFC 9110 §9.3.6). */
export function isAuthorityWithPort(text: string): boolean {
  return isAuthority(text) && /:[0-9]+$/.test(text);
}

function endOfName(text: string): number {
  let index = 0;
  while (index < text.length && HOST_NAME[text.charCodeAt(index)] === 1) index += 1;
  return index;
}

function endOfIpLiteral(text: string): number {
  let index = 1;
  while (index < text.length && IP_LITERAL[text.charCodeAt(index)] === 1) index += 1;
  const isClosed = text.charCodeAt(index) === CLOSE_BRACKET && index - 1 >= SHORTEST_IP_LITERAL;
  return isClosed && text.slice(1, index).includes(':') ? index + 1 : -1;
}

function isPort(text: string, start: number): boolean {
  const digits = text.slice(start);
  return /^[0-9]{1,5}$/.test(digits) && Number(digits) <= HIGHEST_PORT;
}
