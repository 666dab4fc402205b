import { trimBlanks } from './blank.ts';
import { DEL, SP, TAB, TARGET, TOKEN } from './byte-class.ts';

/**
 * Text from outside the codec (an edit, a rewrite, a field of another protocol) that cannot stand in a head. Whoever asked
 * for the head answers with a local reply; nothing was written.
 */
export class NonCanonicalHeadError extends Error {
  override readonly name = 'NonCanonicalHeadError';
}

const HIGHEST_LATIN1 = 0xff;

/** Field names: lower-case tokens. */
export function checkedName(name: string): string {
  for (let index = 0; index < name.length; index += 1) {
    const code = name.charCodeAt(index);
    if (code > HIGHEST_LATIN1 || TOKEN[code] === 0) throw refusal('field name', name);
  }
  if (name === '') throw refusal('field name', name);
  return name;
}

/**
 * Field values: HTAB, SP to 0xFF but DEL, no blank at either end. Codes above 0xFF matter: written as latin1 they lose
 * their high byte, and U+010A would become a line feed.
 */
export function checkedValue(name: string, value: string): string {
  if (!hasOnlyValueCharacters(value)) throw refusal(`value of ${name}`, value);
  return trimBlanks(value);
}

/** Whether a value is written as it is: for values that are judged once and sent often. */
export function isCanonicalValue(value: string): boolean {
  return hasOnlyValueCharacters(value) && trimBlanks(value) === value;
}

function hasOnlyValueCharacters(value: string): boolean {
  for (let index = 0; index < value.length; index += 1) {
    const code = value.charCodeAt(index);
    if ((code < SP && code !== TAB) || code === DEL || code > HIGHEST_LATIN1) return false;
  }
  return true;
}

/** Method, path and authority: visible ASCII without `#`, and at least one character. */
export function checkedTarget(what: string, text: string): string {
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code > HIGHEST_LATIN1 || TARGET[code] === 0) throw refusal(what, text);
  }
  if (text === '') throw refusal(what, text);
  return text;
}

function refusal(what: string, text: string): NonCanonicalHeadError {
  const shown = JSON.stringify(text.slice(0, 80));
  return new NonCanonicalHeadError(
    `${what} ${shown} may not be written into an HTTP/1.1 head: check the edit it came from`,
  );
}
