import { inspect } from 'node:util';

const REDACTED = '[secret]';

/**
 * Text that must reach one place and no log, view, dump or error: a private key, a token. Whatever prints or serializes it
 * prints `[secret]`; whoever needs it says so by name.
 */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [inspect.custom](): string {
    return REDACTED;
  }
}
