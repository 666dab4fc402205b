import { describe, expect, it } from 'vitest';
import { plainRequest } from '../../../test/support/plain-fields.ts';
import { httpConnectionManager } from '../../../test/support/resources.ts';
import { HeaderEdits } from '../../http/header-edits.ts';
import type { HttpConnectionManager } from '../../resource/http-connection-manager.ts';
import { type PeerCertificate, PLAINTEXT, type TransportFacts } from '../../transport-socket/transport-socket.ts';
import { forwardClientCertificate } from './client-certificate.ts';

const CERTIFICATE: PeerCertificate = {
  uriNames: ['spiffe://mesh.test/web'],
  dnsNames: ['web.test'],
  subject: 'CN=web',
  issuer: 'CN=root',
  serialNumber: '01',
  sha256Fingerprint: 'ab12',
  notAfterMs: 0,
  pem: 'A+/ =\n',
  chainPem: 'A+/ =\nB\n',
};
const MUTUAL: TransportFacts = {
  ...PLAINTEXT,
  isTls: true,
  peerCertificate: CERTIFICATE,
  localUriNames: ['spiffe://mesh.test/api'],
};
const ALL = { subject: true, cert: true, chain: true, dns: true, uri: true };
const NONE = { subject: false, cert: false, chain: false, dns: false, uri: false };
const CLAIM = 'Hash=00;URI=spiffe://mesh.test/admin';
type Mode = HttpConnectionManager['forwardClientCertDetails'];

function seenBehind(
  forwardClientCertDetails: Mode,
  transport: TransportFacts,
  currentClientCertDetails = NONE,
  claims: readonly string[] = [CLAIM],
): readonly string[] {
  const head = plainRequest(
    '/',
    claims.map((claim) => ['x-forwarded-client-cert', claim] as const),
  );
  const edits = new HeaderEdits();
  const manager = httpConnectionManager({ forwardClientCertDetails, currentClientCertDetails });
  forwardClientCertificate(manager, transport, head.fields, edits);
  const kept = claims.filter((_, index) => !edits.isRemoved(index));
  return [...kept, ...edits.added.filter((_, index) => index % 2 === 1)];
}

describe('x-forwarded-client-cert', () => {
  const OURS = 'By=spiffe://mesh.test/api;Hash=ab12';
  const rows: [Mode, 'plaintext' | 'mutual TLS', readonly string[]][] = [
    ['sanitize', 'plaintext', []],
    ['sanitize', 'mutual TLS', []],
    ['forwardOnly', 'plaintext', []],
    ['forwardOnly', 'mutual TLS', [CLAIM]],
    ['appendForward', 'plaintext', []],
    ['appendForward', 'mutual TLS', [`${CLAIM},${OURS}`]],
    ['sanitizeSet', 'plaintext', []],
    ['sanitizeSet', 'mutual TLS', [OURS]],
    ['alwaysForwardOnly', 'plaintext', [CLAIM]],
    ['alwaysForwardOnly', 'mutual TLS', [CLAIM]],
  ];
  it.each(rows)('%s over %s', (mode, transport, expected) => {
    expect(seenBehind(mode, transport === 'plaintext' ? PLAINTEXT : MUTUAL)).toEqual(expected);
  });

  it('several lines of it are all replaced, or all kept in order', () => {
    expect(seenBehind('sanitizeSet', MUTUAL, NONE, ['Hash=1', 'Hash=2'])).toEqual([OURS]);
    expect(seenBehind('appendForward', MUTUAL, NONE, ['Hash=1', 'Hash=2'])).toEqual([`Hash=1,Hash=2,${OURS}`]);
  });

  it('tells what it is asked to tell, in order', () => {
    expect(seenBehind('sanitizeSet', MUTUAL, ALL)).toEqual([
      `${OURS};Cert="A%2B%2F%20%3D%0A";Chain="A%2B%2F%20%3D%0AB%0A";Subject="CN=web";URI=spiffe://mesh.test/web;DNS=web.test`,
    ]);
  });

  it('lets no name speak for another', () => {
    const peerCertificate = { ...CERTIFICATE, uriNames: ['https://a.test/;URI=spiffe://mesh.test/admin'] };
    expect(seenBehind('sanitizeSet', { ...MUTUAL, peerCertificate }, { ...NONE, uri: true })).toEqual([
      `${OURS};URI="https://a.test/;URI=spiffe://mesh.test/admin"`,
    ]);
  });
});
