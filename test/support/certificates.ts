import 'reflect-metadata';
import { KeyObject, randomBytes, webcrypto } from 'node:crypto';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  type X509Certificate as X509,
  X509CertificateGenerator,
} from '@peculiar/x509';

export { Extension, KeyUsageFlags };

/** Certificates for tests, made when a test asks for them: EC P-256, valid from a day ago for a year. */

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY_MS = 86_400_000;
const BOTH_ENDS = ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'];
export const SVID_KEY_USAGE: number = KeyUsageFlags.digitalSignature | KeyUsageFlags.keyEncipherment;

export type Name = { readonly type: 'url' | 'dns' | 'email' | 'ip'; readonly value: string };

export interface LeafOptions {
  readonly names?: readonly Name[];
  readonly subject?: string;
  readonly notBeforeMs?: number;
  readonly notAfterMs?: number;
  readonly isCertificateAuthority?: boolean;
  /** undefined: none. */
  readonly keyUsage?: number | undefined;
  readonly extendedKeyUsage?: readonly string[];
  /** Instead of the names: any extensions. */
  readonly extensions?: readonly Extension[];
}

/** A certificate chain and its key, PEM. */
export interface Pair {
  readonly certificatePem: string;
  readonly keyPem: string;
}

export const spiffe = (path: string): Name => ({ type: 'url', value: `spiffe://mesh.test/${path}` });

export class TestAuthority {
  readonly certificatePem: string;
  readonly #certificate: X509;
  readonly #keys: webcrypto.CryptoKeyPair;

  private constructor(certificate: X509, keys: webcrypto.CryptoKeyPair) {
    this.#certificate = certificate;
    this.#keys = keys;
    this.certificatePem = certificate.toString('pem');
  }

  static async create(name = 'Test Root'): Promise<TestAuthority> {
    const keys = await newKeys();
    const certificate = await X509CertificateGenerator.createSelfSigned({
      serialNumber: serial(),
      name: `CN=${name}`,
      ...validity({}),
      signingAlgorithm: ALGORITHM,
      keys,
      extensions: [
        new BasicConstraintsExtension(true, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      ],
    });
    return new TestAuthority(certificate, keys);
  }

  /** A leaf for both ends of a connection; by default an X.509-SVID of `web`. */
  async issue(options: LeafOptions = {}): Promise<Pair> {
    const { names = [spiffe('web')], subject = 'CN=web, O=Test' } = options;
    const keys = await newKeys();
    const certificate = await X509CertificateGenerator.create({
      serialNumber: serial(),
      subject,
      issuer: this.#certificate.subject,
      ...validity(options),
      signingAlgorithm: ALGORITHM,
      publicKey: keys.publicKey,
      signingKey: this.#keys.privateKey,
      extensions: [
        new BasicConstraintsExtension(options.isCertificateAuthority ?? false, undefined, true),
        ...keyUsages(options),
        new ExtendedKeyUsageExtension([...(options.extendedKeyUsage ?? BOTH_ENDS)]),
        ...(options.extensions ?? (names.length === 0 ? [] : [new SubjectAlternativeNameExtension([...names])])),
      ],
    });
    const keyPem = KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'pem' }).toString();
    return { certificatePem: certificate.toString('pem'), keyPem };
  }
}

function keyUsages(options: LeafOptions): Extension[] {
  const flags = 'keyUsage' in options ? options.keyUsage : SVID_KEY_USAGE;
  return flags === undefined ? [] : [new KeyUsagesExtension(flags, true)];
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

function serial(): string {
  return `01${randomBytes(8).toString('hex')}`;
}

function validity({ notBeforeMs, notAfterMs }: LeafOptions): { notBefore: Date; notAfter: Date } {
  const now = Date.now();
  return { notBefore: new Date(notBeforeMs ?? now - DAY_MS), notAfter: new Date(notAfterMs ?? now + 365 * DAY_MS) };
}
