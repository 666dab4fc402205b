import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { plainRequest } from '../../../test/support/plain-fields.ts';
import { httpConnectionManager } from '../../../test/support/resources.ts';
import { effectiveHead } from './path-normalization.ts';

const normalizing = httpConnectionManager({ normalizePath: true, mergeSlashes: true });
const pathOf = (manager: typeof normalizing, path: string): string | undefined =>
  effectiveHead(manager, plainRequest(path), 8080)?.path;

describe('the path that routes and the upstream see', () => {
  it.each([
    ['/a/../b', '/b'],
    ['/a/./b/', '/a/b/'],
    ['/a/b/..', '/a/'],
    ['/a/.', '/a/'],
    ['//a///b', '/a/b'],
    ['/%2E%2e/a', undefined],
    ['/a/%2e%2E/b', '/b'],
    ['/%61%7e%2d', '/a~-'],
    ['/a%2fb', '/a%2Fb'],
    ['/a\\b', '/a/b'],
    ['/..', undefined],
    ['/a%00b', undefined],
    ['/a?x=/../%2e', '/a?x=/../%2e'],
    ['/', '/'],
    ['*', '*'],
  ])('%s becomes %s', (path, expected) => {
    expect(pathOf(normalizing, path)).toBe(expected);
  });

  it('what is normal stays as it is, and the head is the same object', () => {
    const head = plainRequest('/a/b?c=d');
    expect(effectiveHead(normalizing, head, 8080)).toBe(head);
  });

  it('normalising twice changes nothing more', () => {
    const pieces = fc.constantFrom('/', '.', '..', 'a', '%2e', '%2F', '%5c', '\\', '//', '%41', ';x');
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 12 }), (list) => {
        const once = pathOf(normalizing, `/${list.join('')}`);
        if (once !== undefined) expect(pathOf(normalizing, once)).toBe(once);
      }),
    );
  });

  it('escaped slashes: refused, decoded, or kept', () => {
    const acting = (action: typeof normalizing.pathWithEscapedSlashesAction) =>
      httpConnectionManager({ normalizePath: true, pathWithEscapedSlashesAction: action });
    expect(pathOf(acting('rejectRequest'), '/a%2Fb')).toBeUndefined();
    expect(pathOf(acting('unescapeAndForward'), '/a%2F..%5cb')).toBe('/b');
    expect(pathOf(acting('keepUnchanged'), '/a%2Fb')).toBe('/a%2Fb');
  });

  it('strip port from host: any, or only the listener`s own', () => {
    const authorityOf = (mode: 'any' | 'matching', authority: string): string | undefined =>
      effectiveHead(httpConnectionManager({ stripPortFromHost: mode }), plainRequest('/', [], { authority }), 8080)
        ?.authority;
    expect(authorityOf('any', 'web:81')).toBe('web');
    expect(authorityOf('matching', 'web:81')).toBe('web:81');
    expect(authorityOf('matching', 'web:8080')).toBe('web');
    expect(authorityOf('any', '[::1]')).toBe('[::1]');
    expect(authorityOf('any', '[::1]:81')).toBe('[::1]');
  });
});
