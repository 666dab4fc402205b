/** What each byte may be part of (RFC 9110 §5.6.2, RFC 9112), as tables indexed by the byte. */

export const TAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SP = 0x20;
export const DOUBLE_QUOTE = 0x22;
export const HASH = 0x23;
export const ASTERISK = 0x2a;
export const COMMA = 0x2c;
export const SLASH = 0x2f;
export const ZERO = 0x30;
export const NINE = 0x39;
export const COLON = 0x3a;
export const SEMICOLON = 0x3b;
export const EQUALS = 0x3d;
export const BACKSLASH = 0x5c;
export const DEL = 0x7f;

function tableOf(accept: (character: string) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => (accept(String.fromCharCode(byte)) ? 1 : 0));
}

/** Bit 0: a token character; bit 1: the underscore, which some servers read as a dash. */
export const TOKEN = tableOf((character) => /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(character));
TOKEN['_'.charCodeAt(0)] = 3;
export const UNDERSCORE_BIT = 2;

/** A narrower alphabet than token, so that no server reads a method as another one. */
export const METHOD = tableOf((character) => /[A-Z0-9_-]/.test(character));

/** Visible ASCII without `#`: what a request target may hold on the wire. */
export const TARGET = tableOf((character) => /[!-~]/.test(character) && character !== '#');

/** Host names and addresses as clients send them: no userinfo, list, path, percent-encoding or sub-delimiter. */
export const HOST_NAME = tableOf((character) => /[A-Za-z0-9._~-]/.test(character));

/** Inside the brackets of an IP literal. */
export const IP_LITERAL = tableOf((character) => /[0-9A-Fa-f:.]/.test(character));

/** Upper-case ASCII letters to lower case, every other byte to itself. */
export const LOWER = Uint8Array.from({ length: 256 }, (_, byte) => (byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte));

/** Value of a hexadecimal digit, or 255. */
export const HEX_VALUE = Uint8Array.from({ length: 256 }, (_, byte) => {
  const digit = '0123456789abcdef'.indexOf(String.fromCharCode(LOWER[byte] ?? 0));
  return digit < 0 ? 255 : digit;
});

/** Field content: HTAB, SP, visible ASCII and obs-text (RFC 9110 §5.5). */
export function isFieldValueByte(byte: number): boolean {
  return (byte >= SP && byte !== DEL && byte <= 0xff) || byte === TAB;
}
