import { SP, TAB } from './byte-class.ts';

/**
 * Removes SP and HTAB at both ends and nothing else: `String.trim` also takes 0xA0, which other parsers keep. A loop, because
 * a pattern like `[ \t]+$` takes quadratic time on long runs of blanks inside a text.
 */
export function trimBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start += 1;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end -= 1;
  return end - start === text.length ? text : text.slice(start, end);
}

/** SP or HTAB. */
export function isBlank(code: number): boolean {
  return code === SP || code === TAB;
}
