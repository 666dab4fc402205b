import type { DataSource } from './data-source.ts';
import type { StringMatcher } from './matcher.ts';

/**
 * envoy.config.core.v3.TransportSocket, narrowed. Absent or `rawBuffer` means plaintext. TLS contexts are decoded as data
 * here and given life by the transport-socket room.
 */
export type TransportSocket =
  | { readonly kind: 'rawBuffer' }
  | DownstreamTlsContext
  /** Plaintext behind a PROXY protocol header that says whose connection it is. */
  | { readonly kind: 'upstreamProxyProtocol'; readonly version: 'v1' | 'v2' }
  | UpstreamTlsContext;

export interface DownstreamTlsContext {
  readonly kind: 'downstreamTls';
  readonly common: CommonTlsContext;
  readonly requireClientCertificate: boolean;
}

export interface UpstreamTlsContext {
  readonly kind: 'upstreamTls';
  readonly common: CommonTlsContext;
  readonly sni: string;
}

export interface CommonTlsContext {
  readonly certificates: readonly TlsCertificate[];
  /** Secrets that hold certificates, asked of the control server (`tls_certificate_sds_secret_configs`). */
  readonly certificateSecretNames: readonly string[];
  /** What is known without asking: all there is, or the default that a secret's adds to. */
  readonly validation: CertificateValidation | undefined;
  /** The secret that says whom to trust. */
  readonly validationSecretName: string | undefined;
  readonly alpnProtocols: readonly string[];
  readonly parameters: TlsParameters;
}

export interface TlsCertificate {
  readonly certificateChain: DataSource;
  readonly privateKey: DataSource;
}

/** CertificateValidationContext: whom to believe. Without `trustedCa` the peer is not verified. */
export interface CertificateValidation {
  readonly trustedCa: DataSource | undefined;
  /** Empty: any name will do; else one must match. */
  readonly matchSubjectAltNames: readonly SubjectAltNameMatcher[];
}

/** A name counts only where it is of the kind that is asked for; `any` is the older field, which never says. */
export interface SubjectAltNameMatcher {
  readonly sanType: 'uri' | 'dns' | 'ip' | 'email' | 'any';
  readonly matcher: StringMatcher;
}

/** TlsParameters. Empty lists: the platform's own. */
export interface TlsParameters {
  readonly minimumVersion: TlsVersion;
  readonly maximumVersion: TlsVersion;
  /** Of TLS 1.2 and below, in OpenSSL's names. */
  readonly cipherSuites: readonly string[];
  readonly ecdhCurves: readonly string[];
  readonly signatureAlgorithms: readonly string[];
}

export type TlsVersion = 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';

/** Envoy's defaults, but that clients may speak TLS 1.3. */
export const DEFAULT_TLS_PARAMETERS: TlsParameters = {
  minimumVersion: 'TLSv1.2',
  maximumVersion: 'TLSv1.3',
  cipherSuites: [],
  ecdhCurves: [],
  signatureAlgorithms: [],
};

/** A context in which nothing is said. */
export const EMPTY_TLS_CONTEXT: CommonTlsContext = {
  certificates: [],
  certificateSecretNames: [],
  validation: undefined,
  validationSecretName: undefined,
  alpnProtocols: [],
  parameters: DEFAULT_TLS_PARAMETERS,
};
