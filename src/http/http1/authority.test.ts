import { expect, test } from 'vitest';
import { isAuthority, isAuthorityWithPort } from './authority.ts';
import { trimBlanks } from './blank.ts';

test('an authority is judged within its range of a longer text', () => {
  const text = 'Host: a.example:80\r\nX: y';
  expect(isAuthority(text, 6, 18)).toBe(true);
  expect(isAuthority(text, 6, 20)).toBe(false);
  expect(isAuthority(text, 6, 16)).toBe(false);
  expect(isAuthority('[::1', 0, 4)).toBe(false);
  expect(isAuthority('[::1]', 0, 4)).toBe(false);
  expect(isAuthority('[:]', 0, 3)).toBe(false);
  expect(isAuthority('x[::1]', 1, 6)).toBe(true);
  expect(isAuthority('[::]', 0, 4)).toBe(true);
});

test('CONNECT needs a port', () => {
  for (const sound of ['a:1', '[::1]:65535', '127.0.0.1:0']) expect(isAuthorityWithPort(sound), sound).toBe(true);
  for (const unsound of ['a', '[::1]', 'a:', 'a:65536', 'a:000001', ':80', '']) {
    expect(isAuthorityWithPort(unsound), unsound).toBe(false);
  }
});

test('only SP and HTAB count as blanks', () => {
  expect(trimBlanks(' \t a b\t ')).toBe('a b');
  expect(trimBlanks('\xa0a\xa0')).toBe('\xa0a\xa0');
  expect(trimBlanks(' \t ')).toBe('');
});
