/** X.509 as Consul's built-in CA makes it: EC keys on P-256, SPIFFE ids as URI names. Knows no registry state. */
import 'reflect-metadata';
import { createHash, KeyObject, webcrypto } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  cryptoProvider,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';

cryptoProvider.set(webcrypto);

export type KeyBits = 256 | 384;

/** ECDSA over the curve of that size, with the hash that goes with it. */
const algorithmOf = (bits: KeyBits): { name: 'ECDSA'; namedCurve: string; hash: string } => ({
  name: 'ECDSA',
  namedCurve: `P-${bits}`,
  hash: `SHA-${bits}`,
});
const LEAF_BITS: KeyBits = 256;

export interface KeyAndCertificate {
  readonly keys: webcrypto.CryptoKeyPair;
  readonly bits: KeyBits;
  readonly certificate: X509Certificate;
}

export interface Validity {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** A certificate that signs others, itself its own authority. */
export async function makeRoot(
  name: string,
  uri: string,
  serialNumber: number,
  validity: Validity,
  bits: KeyBits,
): Promise<KeyAndCertificate> {
  const keys = await makeKeys(bits);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: hexSerial(serialNumber),
    name: `CN=${name}`,
    ...validity,
    signingAlgorithm: algorithmOf(bits),
    keys,
    extensions: await authorityExtensions(keys.publicKey, uri),
  });
  return { keys, bits, certificate };
}

/** The key of `root` vouched for by the root before it, so that who trusts only that one trusts the new leaves too. */
export async function crossSign(
  root: KeyAndCertificate,
  signer: KeyAndCertificate,
  uri: string,
  serialNumber: number,
  validity: Validity,
): Promise<X509Certificate> {
  return X509CertificateGenerator.create({
    serialNumber: hexSerial(serialNumber),
    subject: root.certificate.subject,
    issuer: signer.certificate.subject,
    ...validity,
    signingAlgorithm: algorithmOf(signer.bits),
    publicKey: root.keys.publicKey,
    signingKey: signer.keys.privateKey,
    extensions: [
      ...(await authorityExtensions(root.keys.publicKey, uri)),
      await AuthorityKeyIdentifierExtension.create(signer.keys.publicKey),
    ],
  });
}

async function authorityExtensions(publicKey: CryptoKey, uri: string): Promise<Extension[]> {
  return [
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature | KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    new BasicConstraintsExtension(true, undefined, true),
    await SubjectKeyIdentifierExtension.create(publicKey),
    new SubjectAlternativeNameExtension([{ type: 'url', value: uri }]),
  ];
}

/** A service's certificate: no subject, one URI, good for both ends of a connection. */
export async function makeLeaf(
  authority: KeyAndCertificate,
  uri: string,
  serialNumber: number,
  validity: Validity,
): Promise<KeyAndCertificate> {
  const keys = await makeKeys(LEAF_BITS);
  const certificate = await X509CertificateGenerator.create({
    serialNumber: hexSerial(serialNumber),
    issuer: authority.certificate.subject,
    ...validity,
    signingAlgorithm: algorithmOf(authority.bits),
    publicKey: keys.publicKey,
    signingKey: authority.keys.privateKey,
    extensions: [
      new KeyUsagesExtension(
        KeyUsageFlags.digitalSignature |
          KeyUsageFlags.keyEncipherment |
          KeyUsageFlags.dataEncipherment |
          KeyUsageFlags.keyAgreement,
        true,
      ),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.clientAuth, ExtendedKeyUsage.serverAuth]),
      new BasicConstraintsExtension(false, undefined, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      await AuthorityKeyIdentifierExtension.create(authority.keys.publicKey),
      // A certificate without a subject must mark its alternative name critical (RFC 5280 §4.2.1.6).
      new SubjectAlternativeNameExtension([{ type: 'url', value: uri }], true),
    ],
  });
  return { keys, bits: LEAF_BITS, certificate };
}

export function privateKeyPem(keys: webcrypto.CryptoKeyPair): string {
  return KeyObject.from(keys.privateKey).export({ type: 'sec1', format: 'pem' }).toString();
}

export function certificatePem(certificate: X509Certificate): string {
  return `${certificate.toString('pem').trim()}\n`;
}

/** `bf:f4:ce:…` over the SHA-1 of the certificate, which is how Consul names its roots. */
export function fingerprint(certificate: X509Certificate): string {
  return colons(createHash('sha1').update(Buffer.from(certificate.rawData)).digest('hex'));
}

/** The key that signs, as Consul writes its id. */
export function signingKeyId(certificate: X509Certificate): string {
  return colons(certificate.getExtension(SubjectKeyIdentifierExtension)?.keyId ?? '');
}

/** `09`: a serial number as the leaf endpoint writes it. */
export function hexSerial(serialNumber: number): string {
  const hex = serialNumber.toString(16);
  return hex.length % 2 === 0 ? hex : `0${hex}`;
}

async function makeKeys(bits: KeyBits): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithmOf(bits), true, ['sign', 'verify']);
}

function colons(hex: string): string {
  return hex.match(/../g)?.join(':') ?? '';
}
