import { X509Certificate } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  Extension,
  KeyUsageFlags,
  type LeafOptions,
  type Name,
  SVID_KEY_USAGE,
  spiffe,
  TestAuthority,
} from '../../../test/support/certificates.ts';
import type { SubjectAltNameMatcher } from '../../resource/transport-socket.ts';
import { readCertificateExtensions } from './certificate-extensions.ts';
import { PeerVerification } from './peer-verification.ts';
import { trusting, wanted } from './tls-fixture.ts';
import { spiffeIdFault } from './x509-svid.ts';

let authority: TestAuthority;
const API = 'spiffe://mesh.test/api';
const SERVER_ONLY = ['1.3.6.1.5.5.7.3.1'];

beforeAll(async () => {
  authority = await TestAuthority.create();
});

/** SubjectAltName as it is written, so that it may hold what no generator would write: `[tag, text]` each. */
function rawNames(...names: readonly (readonly [tag: number, text: string])[]): Extension {
  const elements = names.map(([tag, text]) =>
    Buffer.concat([Buffer.from([tag, text.length]), Buffer.from(text, 'latin1')]),
  );
  const content = Buffer.concat(elements);
  return new Extension('2.5.29.17', false, Buffer.concat([Buffer.from([0x30, content.length]), content]));
}

async function verdictOn(options: LeafOptions, ...matchers: SubjectAltNameMatcher[]): Promise<string> {
  const { certificatePem } = await authority.issue(options);
  const validation = trusting(authority.certificatePem, ...matchers);
  const verification = new PeerVerification({ validation, isCertificateRequired: true });
  const verdict = verification.judge({ certificate: new X509Certificate(certificatePem), chainFault: undefined });
  return verdict.kind === 'accepted' ? 'accepted' : verdict.failure.kind;
}

const dns = (value: string): Name => ({ type: 'dns', value });

describe('a peer that must be spiffe://mesh.test/api', () => {
  const rows: [string, LeafOptions, 'accepted' | 'sanMismatch' | 'untrusted'][] = [
    ['is, with its own certificate', { names: [spiffe('api')] }, 'accepted'],
    ['is, whatever its DNS names', { names: [spiffe('api'), dns('x.test')] }, 'accepted'],
    ['is not: another workload', { names: [spiffe('db')] }, 'sanMismatch'],
    ['is not: another trust domain', { names: [{ type: 'url', value: 'spiffe://other.test/api' }] }, 'sanMismatch'],
    ['is not: the ID is longer', { names: [spiffe('api/more')] }, 'sanMismatch'],
    ['is not: the case differs', { names: [spiffe('API')] }, 'sanMismatch'],
    ['is not: the ID is its DNS name', { names: [dns(API)] }, 'sanMismatch'],
    ['is not: the ID is its e-mail address', { extensions: [rawNames([0x81, API])] }, 'sanMismatch'],
    ['is not: the ID is in its subject', { names: [], subject: `CN=${API.replaceAll('/', '_')}` }, 'sanMismatch'],
    ['is not: it has two URI names', { names: [spiffe('api'), spiffe('db')] }, 'sanMismatch'],
    [
      'is not: the second URI is of another scheme',
      { names: [spiffe('api'), { type: 'url', value: 'https://a.test' }] },
      'sanMismatch',
    ],
    ['is not: it has no names', { names: [] }, 'sanMismatch'],
    ['is not: a NUL behind the ID', { extensions: [rawNames([0x86, `${API}\0.evil.test`])] }, 'untrusted'],
    ['is not: a quote and another name inside one', { extensions: [rawNames([0x82, `a", URI:${API}`])] }, 'untrusted'],
    ['is not: a line break inside a name', { extensions: [rawNames([0x82, `a\nURI:${API}`])] }, 'untrusted'],
    [
      'is not: names whose lengths lie',
      { extensions: [new Extension('2.5.29.17', false, Buffer.from([0x30, 0x20, 0x86, 0x02, 0x41]))] },
      'untrusted',
    ],
    [
      'is not: names that stand twice',
      { extensions: [rawNames([0x86, 'spiffe://mesh.test/db']), rawNames([0x86, API])] },
      'untrusted',
    ],
    ['is not: a percent-encoded path', { extensions: [rawNames([0x86, 'spiffe://mesh.test/%61pi'])] }, 'sanMismatch'],
    ['is not: it is an authority', { names: [spiffe('api')], isCertificateAuthority: true }, 'sanMismatch'],
    [
      'is not: its key signs certificates',
      { names: [spiffe('api')], keyUsage: SVID_KEY_USAGE | KeyUsageFlags.keyCertSign },
      'sanMismatch',
    ],
    [
      'is not: its key signs revocation lists',
      { names: [spiffe('api')], keyUsage: SVID_KEY_USAGE | KeyUsageFlags.cRLSign },
      'sanMismatch',
    ],
    [
      'is not: its key is not for signatures',
      { names: [spiffe('api')], keyUsage: KeyUsageFlags.keyEncipherment },
      'sanMismatch',
    ],
    ['is not: nothing says what its key is for', { names: [spiffe('api')], keyUsage: undefined }, 'sanMismatch'],
    ['is not: it is for servers only', { names: [spiffe('api')], extendedKeyUsage: SERVER_ONLY }, 'sanMismatch'],
  ];
  it.each(rows)('%s', async (_what, options, expected) => {
    expect(await verdictOn(options, wanted('uri', API))).toBe(expected);
    // The older field never says which kind of name it means: a SPIFFE ID is a URI there too.
    expect(await verdictOn(options, wanted('any', API))).toBe(expected);
  });
});

describe('a peer with other names', () => {
  const ip: Name = { type: 'ip', value: '192.0.2.7' };
  const rows: [string, readonly Name[], SubjectAltNameMatcher, 'accepted' | 'sanMismatch'][] = [
    ['a DNS name, whatever its case', [dns('API.test')], wanted('dns', 'api.test'), 'accepted'],
    ['a DNS name behind a wildcard of one label', [dns('*.api.test')], wanted('dns', 'a.api.test'), 'accepted'],
    ['not two labels behind a wildcard', [dns('*.api.test')], wanted('dns', 'a.b.api.test'), 'sanMismatch'],
    ['not a whole top level behind a wildcard', [dns('*.test')], wanted('dns', 'api.test'), 'sanMismatch'],
    ['a DNS name is no URI', [dns('api.test')], wanted('uri', 'api.test'), 'sanMismatch'],
    ['an address', [ip], wanted('ip', '192.0.2.7'), 'accepted'],
    ['an address is no DNS name', [ip], wanted('dns', '192.0.2.7'), 'sanMismatch'],
    [
      'an IPv6 address in its shortest form',
      [{ type: 'ip', value: '2001:db8::1' }],
      wanted('ip', '2001:db8::1'),
      'accepted',
    ],
    ['an e-mail address', [{ type: 'email', value: 'a@api.test' }], wanted('email', 'a@api.test'), 'accepted'],
  ];
  it.each(rows)('%s', async (_what, names, matcher, expected) => {
    expect(await verdictOn({ names }, matcher)).toBe(expected);
  });

  it('is let in where no name is asked for, but not with two SPIFFE IDs: rules further up go by one', async () => {
    expect(await verdictOn({ names: [dns('a.test')] })).toBe('accepted');
    expect(await verdictOn({ names: [spiffe('a'), spiffe('b')] })).toBe('sanMismatch');
  });

  it('matches patterns as a whole, in linear time', async () => {
    const matcher = (pattern: string): SubjectAltNameMatcher => ({
      sanType: 'uri',
      matcher: { kind: 'safeRegex', pattern },
    });
    expect(await verdictOn({ names: [spiffe('api')] }, matcher('spiffe://mesh\\.test/(api|db)'))).toBe('accepted');
    expect(await verdictOn({ names: [spiffe('api/x')] }, matcher('spiffe://mesh\\.test/(api|db)'))).toBe('sanMismatch');
  });
});

describe('a SPIFFE ID', () => {
  it.each(['spiffe://mesh.test/a', 'spiffe://mesh.test/ns/default/dc/dc1/svc/web', 'spiffe://1-2_3.consul/a.b'])(
    '%s is one',
    (id) => expect(spiffeIdFault(id)).toBeUndefined(),
  );
  it.each([
    'spiffe://mesh.test',
    'spiffe://mesh.test/',
    'spiffe://mesh.test/a/',
    'spiffe://mesh.test//a',
    'spiffe://mesh.test/../a',
    'spiffe://mesh.test/a%2fb',
    'spiffe://Mesh.test/a',
    'spiffe://mesh.test:80/a',
    'spiffe://u@mesh.test/a',
    'spiffe:///a',
    'SPIFFE://mesh.test/a',
    'spiffe://mesh.test/a?b',
    'spiffe://mesh.test/a#b',
    `spiffe://mesh.test/${'a'.repeat(2_040)}`,
  ])('%s is none', (id) => expect(spiffeIdFault(id)).toBeDefined());
});

it('bytes that are no certificate have no names', () => {
  for (const bytes of [[], [0x30], [0x30, 0x80], [0x30, 0x84, 0xff, 0xff, 0xff, 0xff], [0x30, 0x81, 0x01, 0x00]]) {
    expect(readCertificateExtensions(Buffer.from(bytes))).toBeUndefined();
  }
});
