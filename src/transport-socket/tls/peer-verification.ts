import type { X509Certificate } from 'node:crypto';
import type { CertificateValidation } from '../../resource/transport-socket.ts';
import { type CertificateExtensions, readCertificateExtensions } from './certificate-extensions.ts';
import { SubjectAltNames } from './subject-alt-names.ts';
import { isSpiffeUri, svidFault } from './x509-svid.ts';

/** Why a peer was turned away, by the counter that counts it. */
export interface TlsFailure {
  readonly kind: 'noCertificate' | 'untrusted' | 'sanMismatch' | 'handshake';
  /** What happened, for a log: never more than the peer's own names. */
  readonly message: string;
}

/** What OpenSSL made of the peer's certificates. */
export interface PresentedCertificate {
  /** undefined: none was shown. */
  readonly certificate: X509Certificate | undefined;
  /** Of the chain up to the trusted CA, validity and purpose included; undefined where all is well. */
  readonly chainFault: string | undefined;
}

export interface VerifiedPeer {
  readonly certificate: X509Certificate;
  readonly extensions: CertificateExtensions;
}

export type PeerVerdict =
  | { readonly kind: 'accepted'; readonly peer: VerifiedPeer | undefined }
  | { readonly kind: 'refused'; readonly failure: TlsFailure };

export interface PeerVerificationOptions {
  /** undefined: whoever it is will do. */
  readonly validation: CertificateValidation | undefined;
  /** Whether there must be a certificate at all where one is verified. */
  readonly isCertificateRequired: boolean;
}

/**
 * Whether a peer is one we want to talk to. Runs once, when the handshake is over and before any application byte is read or
 * written. Every doubt is a refusal: a certificate that we cannot read has no names that we could compare.
 */
export class PeerVerification {
  readonly #isVerified: boolean;
  readonly #isCertificateRequired: boolean;
  readonly #names: SubjectAltNames;

  constructor({ validation, isCertificateRequired }: PeerVerificationOptions) {
    this.#isVerified = validation?.trustedCa !== undefined;
    this.#isCertificateRequired = isCertificateRequired;
    this.#names = new SubjectAltNames(validation?.matchSubjectAltNames ?? []);
  }

  judge({ certificate, chainFault }: PresentedCertificate): PeerVerdict {
    if (!this.#isVerified && !this.#isCertificateRequired) return ANYBODY;
    if (certificate === undefined) {
      if (!this.#isCertificateRequired) return ANYBODY;
      return refusal('noCertificate', 'the peer has shown no certificate, and one is required');
    }
    if (chainFault !== undefined) return refusal('untrusted', `the peer's certificate is not trusted: ${chainFault}`);
    const extensions = readCertificateExtensions(certificate.raw);
    if (extensions === undefined)
      return refusal('untrusted', "the peer's certificate has names or extensions that are malformed");
    const nameFault = this.#nameFault(extensions);
    if (nameFault !== undefined) return refusal('sanMismatch', nameFault);
    return { kind: 'accepted', peer: { certificate, extensions } };
  }

  /** Who has a SPIFFE ID must have it by the rules, whether this end asks for one or rules further up go by it. */
  #nameFault(extensions: CertificateExtensions): string | undefined {
    if (this.#names.wantsSpiffe || extensions.uriNames.some(isSpiffeUri)) {
      const fault = svidFault(extensions);
      if (fault !== undefined) return `the peer's certificate ${fault}`;
    }
    if (this.#names.isEmpty || this.#names.match(extensions)) return undefined;
    const shown = [...extensions.uriNames, ...extensions.dnsNames].slice(0, 4).join(', ');
    return `none of the peer's names is one that is wanted: ${shown === '' ? 'it has none' : shown}`;
  }
}

const ANYBODY: PeerVerdict = { kind: 'accepted', peer: undefined };

function refusal(kind: TlsFailure['kind'], message: string): PeerVerdict {
  return { kind: 'refused', failure: { kind, message } };
}
