const OUTER_BLANKS = /^[ \t]+|[ \t]+$/g;

/** Removes SP and HTAB at both ends and nothing else: `String.trim` also takes 0xA0, which other parsers keep. */
export function trimBlanks(text: string): string {
  return text.replace(OUTER_BLANKS, '');
}
