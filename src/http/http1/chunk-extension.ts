import { BACKSLASH, DOUBLE_QUOTE, EQUALS, isFieldValueByte, SEMICOLON, TOKEN } from './byte-class.ts';

type Phase = 0 | 1 | 2 | 3 | 4 | 5 | 6;
const NAME_START = 0;
const NAME = 1;
const VALUE_START = 2;
const TOKEN_VALUE = 3;
const QUOTED = 4;
const ESCAPED = 5;
const AFTER_QUOTED = 6;

/**
 * Checks `*( ";" token [ "=" ( token / quoted-string ) ] )` byte by byte (RFC 9112 §7.1.1, without the optional "bad
 * whitespace"). Nothing is kept: extensions are never forwarded. A lenient reading of them is CVE-2025-55315.
 */
export class ChunkExtensionChecker {
  #phase: Phase = NAME_START;

  /** After the first semicolon. */
  begin(): void {
    this.#phase = NAME_START;
  }

  /** True where the line may end here. */
  get mayEnd(): boolean {
    return this.#phase === NAME || this.#phase === TOKEN_VALUE || this.#phase === AFTER_QUOTED;
  }

  /** False where the byte breaks the grammar. */
  accepts(byte: number): boolean {
    switch (this.#phase) {
      case NAME_START:
        return this.#enterToken(byte, NAME);
      case NAME:
        if (byte === EQUALS) return this.#enter(VALUE_START);
        return TOKEN[byte] !== 0 || (byte === SEMICOLON && this.#enter(NAME_START));
      case VALUE_START:
        if (byte === DOUBLE_QUOTE) return this.#enter(QUOTED);
        return this.#enterToken(byte, TOKEN_VALUE);
      case TOKEN_VALUE:
        return TOKEN[byte] !== 0 || (byte === SEMICOLON && this.#enter(NAME_START));
      case QUOTED:
        if (byte === DOUBLE_QUOTE) return this.#enter(AFTER_QUOTED);
        if (byte === BACKSLASH) return this.#enter(ESCAPED);
        return isFieldValueByte(byte);
      case ESCAPED:
        return isFieldValueByte(byte) && this.#enter(QUOTED);
      case AFTER_QUOTED:
        return byte === SEMICOLON && this.#enter(NAME_START);
    }
  }

  #enterToken(byte: number, phase: Phase): boolean {
    return TOKEN[byte] !== 0 && this.#enter(phase);
  }

  #enter(phase: Phase): true {
    this.#phase = phase;
    return true;
  }
}
