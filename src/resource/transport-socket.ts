/**
 * envoy.config.core.v3.TransportSocket, narrowed. Absent or `rawBuffer` means plaintext. TLS contexts are decoded as data
 * here and given life by the transport-socket room.
 */
export type TransportSocket =
  | { readonly kind: 'rawBuffer' }
  | { readonly kind: 'downstreamTls'; readonly common: CommonTlsContext; readonly requireClientCertificate: boolean }
  /** Plaintext behind a PROXY protocol header that says whose connection it is. */
  | { readonly kind: 'upstreamProxyProtocol'; readonly version: 'v1' | 'v2' }
  | { readonly kind: 'upstreamTls'; readonly common: CommonTlsContext; readonly sni: string };

export interface CommonTlsContext {
  readonly certificates: readonly { readonly certificateChainPem: string; readonly privateKeyPem: string }[];
  readonly trustedCaPem: string | undefined;
  readonly matchSubjectAltNames: readonly import('./matcher.ts').StringMatcher[];
  readonly alpnProtocols: readonly string[];
  readonly minimumVersion: 'TLSv1.2' | 'TLSv1.3';
}
