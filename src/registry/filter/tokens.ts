import { FilterError } from './expression.ts';

/** `word` covers identifiers, numbers and keywords: which of them it is depends on where it stands. */
export interface Token {
  readonly kind: 'word' | 'string' | 'symbol' | 'end';
  readonly text: string;
  readonly at: number;
}

export const MAX_FILTER_CHARS = 8192;

const WORD = /[A-Za-z0-9_\-/*]+/y;
const SYMBOLS = ['==', '!=', '(', ')', '[', ']', '.'];

export function tokenize(source: string): readonly Token[] {
  if (source.length > MAX_FILTER_CHARS) throw new FilterError(`filter is longer than ${MAX_FILTER_CHARS} characters`);
  const tokens: Token[] = [];
  let at = 0;
  while (at < source.length) {
    const char = source.charAt(at);
    if (char === ' ' || char === '\t' || char === '\n' || char === '\r') {
      at += 1;
      continue;
    }
    const token = char === '"' || char === '`' ? readString(source, at, char) : readPlain(source, at);
    tokens.push(token.token);
    at = token.end;
  }
  tokens.push({ kind: 'end', text: '', at });
  return tokens;
}

function readPlain(source: string, at: number): { token: Token; end: number } {
  const symbol = SYMBOLS.find((candidate) => source.startsWith(candidate, at));
  if (symbol !== undefined) return { token: { kind: 'symbol', text: symbol, at }, end: at + symbol.length };
  WORD.lastIndex = at;
  const match = WORD.exec(source);
  if (match === null)
    throw new FilterError(`unexpected character ${JSON.stringify(source.charAt(at))} at offset ${at}`);
  return { token: { kind: 'word', text: match[0], at }, end: WORD.lastIndex };
}

function readString(source: string, at: number, quote: string): { token: Token; end: number } {
  let text = '';
  for (let index = at + 1; index < source.length; index += 1) {
    const char = source.charAt(index);
    if (char === quote) return { token: { kind: 'string', text, at }, end: index + 1 };
    if (char === '\\' && quote === '"' && index + 1 < source.length) {
      index += 1;
      text += unescaped(source.charAt(index));
      continue;
    }
    text += char;
  }
  throw new FilterError(`string that begins at offset ${at} is not closed`);
}

function unescaped(char: string): string {
  if (char === 'n') return '\n';
  if (char === 't') return '\t';
  if (char === '"' || char === '\\') return char;
  return `\\${char}`;
}
