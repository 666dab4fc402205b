import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import type { PeerCertificate, TransportFacts } from '../peer-certificate.ts';
import type { VerifiedPeer } from './peer-verification.ts';

/** What a handshake has settled. */
export function tlsFacts(
  socket: TLSSocket,
  peer: VerifiedPeer | undefined,
  localUriNames: readonly string[],
): TransportFacts {
  return {
    isTls: true,
    applicationProtocol: typeof socket.alpnProtocol === 'string' ? socket.alpnProtocol : '',
    serverName: serverNameOf(socket),
    tlsVersion: socket.getProtocol() ?? '',
    peerCertificate: peer === undefined ? undefined : peerCertificateOf(peer),
    localUriNames,
  };
}

export function peerCertificateOf({ certificate, extensions }: VerifiedPeer): PeerCertificate {
  return {
    uriNames: extensions.uriNames,
    dnsNames: extensions.dnsNames,
    subject: distinguishedName(certificate.subject),
    issuer: distinguishedName(certificate.issuer),
    serialNumber: certificate.serialNumber,
    sha256Fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    notAfterMs: certificate.validToDate.getTime(),
    pem: certificate.toString(),
    chainPem: chainPem(certificate),
  };
}

/** More than any chain holds: what a peer sends must not keep us busy. */
const MAX_CHAIN_LENGTH = 10;

function chainPem(leaf: X509Certificate): string {
  let chain = leaf.toString();
  let issuer = leaf.issuerCertificate;
  for (let length = 1; issuer !== undefined && length < MAX_CHAIN_LENGTH; length++) {
    chain += issuer.toString();
    issuer = issuer.issuerCertificate;
  }
  return chain;
}

/** Node's types know it for clients only. */
function serverNameOf(socket: TLSSocket): string {
  const name: unknown = Reflect.get(socket, 'servername');
  return typeof name === 'string' ? name.toLowerCase() : '';
}

/** RFC 2253 turns the order round; OpenSSL has one attribute a line, with what is special already escaped. */
function distinguishedName(lines: string | undefined): string {
  return lines === undefined ? '' : lines.split('\n').reverse().join(',');
}
