import { ChangedRequestHead } from '../../../http/changed-head.ts';
import type { JwtProvider } from '../../../resource/jwt-authn.ts';
import { requestValues } from '../effective-fields.ts';
import type { FilterStream } from '../filter-stream.ts';

/** Tokens of one provider in one request; more are not looked for, and the next makes the request fail. */
export const MAX_TOKENS = 8;

export type TokenLocation =
  | { readonly kind: 'header'; readonly name: string }
  | { readonly kind: 'param'; readonly name: string }
  | { readonly kind: 'cookie' };

export interface FoundToken {
  readonly text: string;
  readonly location: TokenLocation;
}

/** What a request shows at the places where a provider's tokens may be. */
export function findTokens(stream: FilterStream, provider: JwtProvider): readonly FoundToken[] {
  const found: FoundToken[] = [];
  for (const { name, valuePrefix } of provider.fromHeaders) {
    for (const value of requestValues(stream, name)) {
      if (!value.startsWith(valuePrefix)) continue;
      found.push({ text: value.slice(valuePrefix.length).trim(), location: { kind: 'header', name } });
    }
  }
  for (const name of provider.fromParams) {
    for (const pair of pairsOf(stream.head.path)) {
      if (nameOf(pair) === name) found.push({ text: textOf(pair), location: { kind: 'param', name } });
    }
  }
  for (const name of provider.fromCookies) {
    for (const text of cookies(stream, name)) found.push({ text, location: { kind: 'cookie' } });
  }
  return found.slice(0, MAX_TOKENS + 1);
}

/** So that the token goes no further. Cookies stay, as in Envoy. */
export function removeToken(stream: FilterStream, location: TokenLocation): void {
  if (location.kind === 'header') stream.requestEdits.remove(stream.head.fields, location.name);
  if (location.kind !== 'param') return;
  const { path } = stream.head;
  const kept = pairsOf(path).filter((pair) => nameOf(pair) !== location.name);
  const start = path.slice(0, path.indexOf('?'));
  stream.head = new ChangedRequestHead(stream.head, { path: kept.length > 0 ? `${start}?${kept.join('&')}` : start });
}

function pairsOf(path: string): readonly string[] {
  const queryAt = path.indexOf('?');
  return queryAt < 0 ? [] : path.slice(queryAt + 1).split('&');
}

function nameOf(pair: string): string {
  const equals = pair.indexOf('=');
  return decoded(equals < 0 ? pair : pair.slice(0, equals));
}

function textOf(pair: string): string {
  const equals = pair.indexOf('=');
  return equals < 0 ? '' : decoded(pair.slice(equals + 1));
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function cookies(stream: FilterStream, name: string): readonly string[] {
  return requestValues(stream, 'cookie').flatMap((line) =>
    line.split(';').flatMap((pair) => {
      const equals = pair.indexOf('=');
      if (equals < 0 || pair.slice(0, equals).trim() !== name) return [];
      return [
        pair
          .slice(equals + 1)
          .trim()
          .replace(/^"(.*)"$/, '$1'),
      ];
    }),
  );
}
