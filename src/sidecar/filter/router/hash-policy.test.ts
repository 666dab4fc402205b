import { describe, expect, it } from 'vitest';
import { plainRequest } from '../../../../test/support/plain-fields.ts';
import type { HashPolicy } from '../../../resource/route-configuration.ts';
import { requestHash } from './hash-policy.ts';

const hash64 = (text: string): bigint =>
  Array.from(text).reduce((sum, letter) => sum * 31n + BigInt(letter.codePointAt(0) ?? 0), 7n);
const header = (name: string, terminal = false): HashPolicy => ({ terminal, source: { kind: 'header', name } });
const head = plainRequest('/p?a=1&user=kim&user=lee', [
  ['x-user', 'kim'],
  ['cookie', 'a=b; session=s1'],
]);
const hashOf = (...policies: HashPolicy[]): bigint | undefined =>
  requestHash(policies, { head, downstreamAddress: '10.0.0.1' }, hash64);

describe('request hash', () => {
  it('is of the value each source names', () => {
    expect(hashOf(header('x-user'))).toBe(hash64('kim'));
    expect(hashOf({ terminal: false, source: { kind: 'sourceIp' } })).toBe(hash64('10.0.0.1'));
    expect(hashOf({ terminal: false, source: { kind: 'queryParameter', name: 'user' } })).toBe(hash64('kim'));
    const cookie = { kind: 'cookie', name: 'session', ttlMs: undefined, path: '' } as const;
    expect(hashOf({ terminal: false, source: cookie })).toBe(hash64('s1'));
  });

  it('is none where no source has a value', () => {
    expect(hashOf(header('x-missing'))).toBeUndefined();
  });

  it('combines sources in order and stops after a terminal one that has a value', () => {
    const query: HashPolicy = { terminal: false, source: { kind: 'queryParameter', name: 'a' } };
    const both = hashOf(header('x-user'), query);
    expect(both).not.toBe(hashOf(query, header('x-user')));
    expect(hashOf(header('x-user', true), query)).toBe(hash64('kim'));
    expect(hashOf(header('x-missing', true), query)).toBe(hash64('1'));
  });
});
