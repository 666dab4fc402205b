import type { QueryParameterMatcher } from '../../../resource/matcher.ts';
import { compileStringMatcher } from '../../route/route.ts';

/** First values by name, percent-decoded, as bytes with one character each. */
export type Query = ReadonlyMap<string, string>;

export function decodedQuery(path: string): Query {
  const query = new Map<string, string>();
  const begin = path.indexOf('?');
  if (begin < 0) return query;
  for (const pair of path.slice(begin + 1).split('&')) {
    const equals = pair.indexOf('=');
    const name = percentDecoded(equals < 0 ? pair : pair.slice(0, equals));
    if (!query.has(name)) query.set(name, equals < 0 ? '' : percentDecoded(pair.slice(equals + 1)));
  }
  return query;
}

/** As routes match parameters, but decoded. */
export function compileQueryMatcher({ name, match }: QueryParameterMatcher): (query: Query) => boolean {
  const key = Buffer.from(name, 'utf8').toString('latin1');
  if (match.kind === 'present') return (query) => query.has(key) === match.present;
  const accepts = compileStringMatcher(match.matcher);
  return (query) => {
    const value = query.get(key);
    return value !== undefined && accepts(value);
  };
}

function percentDecoded(text: string): string {
  return text.replaceAll(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
