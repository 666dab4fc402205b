import { RE2JS } from 're2js';

/** A part of a substitution: literal text, or the number of a group. */
type Part = string | number;

/**
 * envoy.type.matcher.v3.RegexMatchAndSubstitute: every match is replaced; `\0` to `\9` stand for the match and its groups,
 * `\\` for a backslash, and nothing else is special.
 */
export class RegexRewrite {
  readonly #pattern: RE2JS;
  readonly #parts: readonly Part[];

  constructor(pattern: string, substitution: string) {
    this.#pattern = RE2JS.compile(pattern);
    this.#parts = parseSubstitution(substitution);
  }

  rewrite(text: string): string {
    const matcher = this.#pattern.matcher(text);
    let result = '';
    let copiedTo = 0;
    while (matcher.find()) {
      result += text.slice(copiedTo, matcher.start());
      for (const part of this.#parts) result += typeof part === 'string' ? part : (matcher.group(part) ?? '');
      copiedTo = matcher.end();
    }
    return result + text.slice(copiedTo);
  }
}

function parseSubstitution(substitution: string): Part[] {
  const parts: Part[] = [];
  for (const match of substitution.matchAll(/\\(\d)|\\\\|[^\\]+|\\/g)) {
    if (match[1] !== undefined) parts.push(Number(match[1]));
    else parts.push(match[0] === '\\\\' ? '\\' : match[0]);
  }
  return parts;
}
