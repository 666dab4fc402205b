import type { PathMatch } from '../../resource/route-configuration.ts';
import { compileFullMatch } from './string-match.ts';

/** Compiles a path match. The predicate gets the path without its query. */
export function compilePathMatch(match: PathMatch, caseSensitive: boolean): (path: string) => boolean {
  const exact = compileCaseSensitive(match, caseSensitive);
  if (caseSensitive || match.kind === 'safeRegex') return exact;
  return (path) => exact(path.toLowerCase());
}

function compileCaseSensitive(match: PathMatch, caseSensitive: boolean): (path: string) => boolean {
  const fold = (text: string): string => (caseSensitive ? text : text.toLowerCase());
  switch (match.kind) {
    case 'prefix': {
      const prefix = fold(match.prefix);
      return prefix === '/' ? (path) => path.charCodeAt(0) === 0x2f : (path) => path.startsWith(prefix);
    }
    case 'path': {
      const whole = fold(match.path);
      return (path) => path === whole;
    }
    case 'pathSeparatedPrefix': {
      const prefix = fold(match.prefix);
      return (path) => path.startsWith(prefix) && (path.length === prefix.length || path[prefix.length] === '/');
    }
    case 'safeRegex':
      return compileFullMatch(match.pattern);
    case 'connect':
      return () => false;
  }
}

/** Length of the path that a prefix rewrite replaces: the prefix, or the whole path for an exact or regex match. */
export function matchedPathLength(match: PathMatch, path: string): number {
  switch (match.kind) {
    case 'prefix':
    case 'pathSeparatedPrefix':
      return match.prefix.length;
    default:
      return path.length;
  }
}
