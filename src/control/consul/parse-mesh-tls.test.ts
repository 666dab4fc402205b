import { describe, expect, test } from 'vitest';
import { parseConfigEntries } from './parse-config-entries.ts';

const parse = (TLS: unknown, previous?: ReturnType<typeof parseConfigEntries<'mesh'>>) =>
  parseConfigEntries('mesh', [{ Kind: 'mesh', ModifyIndex: 12, TLS }], previous);

describe('mesh.TLS', () => {
  test('is read in both directions, with suites in the names that proxies know', () => {
    const { entries, problems } = parse({
      Incoming: { TLSMinVersion: 'TLSv1_2', TLSMaxVersion: 'TLS_AUTO', CipherSuites: ['TLS_RSA_WITH_AES_128_CBC_SHA'] },
      Outgoing: { TLSMinVersion: 'TLSv1_3' },
    });
    expect(problems).toEqual([]);
    expect(entries.get('mesh')?.tls).toEqual({
      incoming: { minimumVersion: 'TLSv1_2', maximumVersion: undefined, cipherSuites: ['AES128-SHA'] },
      outgoing: { minimumVersion: 'TLSv1_3', maximumVersion: undefined, cipherSuites: [] },
    });
  });

  test.each([
    [undefined],
    [null],
    [{}],
    [{ Incoming: {}, Outgoing: null }],
    [{ Incoming: { TLSMinVersion: 'TLS_AUTO' } }],
  ])('says nothing where it is %j', (written) => {
    expect(parse(written).entries.get('mesh')?.tls).toBeUndefined();
  });

  test.each([
    [{ Incoming: { TLSMinVersion: 'TLSv1.2' } }, 'TLS.Incoming.TLSMinVersion: must be TLS_AUTO or one of'],
    [{ Incoming: { CipherSuites: ['ROT13'] } }, 'TLS.Incoming.CipherSuites[0]: no cipher suite of Consul\'s: "ROT13"'],
    [
      { Outgoing: { TLSMinVersion: 'TLSv1_3', TLSMaxVersion: 'TLSv1_2' } },
      'TLS.Outgoing.TLSMaxVersion: TLSv1_2 is below',
    ],
    [
      { Outgoing: { TLSMinVersion: 'TLSv1_3', CipherSuites: ['TLS_RSA_WITH_AES_128_CBC_SHA'] } },
      'TLS.Outgoing.CipherSuites: are of TLS 1.2 and older',
    ],
  ])('that is wrong (%j) is named with entry and field, and what was said before stays', (written, message) => {
    const good = parse({ Incoming: { TLSMinVersion: 'TLSv1_3' } });
    const { entries, problems } = parse(written, good);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({ severity: 'error', where: 'mesh/mesh (ModifyIndex 12)' });
    expect(problems[0]?.message).toContain(message);
    expect(entries.get('mesh')?.tls?.incoming?.minimumVersion).toBe('TLSv1_3');
  });
});
