/**
 * What the peer of a TLS connection proved about itself: read once after the handshake from the certificate that was
 * verified, never from names the peer merely sent. Absent where the connection is plaintext or no certificate was shown.
 */
export interface PeerCertificate {
  /** URI subject alternative names in order, a SPIFFE ID among them. */
  readonly uriNames: readonly string[];
  readonly dnsNames: readonly string[];
  /** RFC 2253 form, most specific attribute first, as Envoy prints it. */
  readonly subject: string;
  readonly issuer: string;
  readonly serialNumber: string;
  /** SHA-256 of the DER form, lower-case hexadecimal without separators. */
  readonly sha256Fingerprint: string;
  readonly notAfterMs: number;
  /** The certificate itself, PEM. */
  readonly pem: string;
  /** It and those that it was shown with, up to the trusted one as far as it came along, PEM. */
  readonly chainPem: string;
}

/** What a connection's transport has settled before the first byte of application data. */
export interface TransportFacts {
  readonly isTls: boolean;
  /** ALPN's choice, '' where none was made. */
  readonly applicationProtocol: string;
  /** The name that the client asked for (SNI), lower case, '' where it asked for none. */
  readonly serverName: string;
  /** For example 'TLSv1.3', '' for plaintext. */
  readonly tlsVersion: string;
  readonly peerCertificate: PeerCertificate | undefined;
  /** URI names of the certificate that we have shown. */
  readonly localUriNames: readonly string[];
}

export const PLAINTEXT: TransportFacts = Object.freeze({
  isTls: false,
  applicationProtocol: '',
  serverName: '',
  tlsVersion: '',
  peerCertificate: undefined,
  localUriNames: [],
});
