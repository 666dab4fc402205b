import { SocketAddress } from 'node:net';
import { DER_TAG, type DerElement, readDer, readDerInside } from './der-reader.ts';

/** What a certificate says about its subject and what its key may do, read from its DER form (RFC 5280 §4). */
export interface CertificateExtensions {
  readonly uriNames: readonly string[];
  readonly dnsNames: readonly string[];
  readonly emailNames: readonly string[];
  /** As text in its shortest form: `192.0.2.1`, `2001:db8::1`. */
  readonly ipAddresses: readonly string[];
  readonly isCertificateAuthority: boolean;
  /** undefined: the extension is absent. */
  readonly keyUsage: KeyUsage | undefined;
  /** Object identifiers in dots; undefined: the extension is absent. */
  readonly extendedKeyUsage: readonly string[] | undefined;
}

export interface KeyUsage {
  readonly digitalSignature: boolean;
  readonly keyCertSign: boolean;
  readonly crlSign: boolean;
}

export const EXTENDED_KEY_USAGE = { serverAuth: '1.3.6.1.5.5.7.3.1', clientAuth: '1.3.6.1.5.5.7.3.2' } as const;

const OID = {
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  extendedKeyUsage: '2.5.29.37',
} as const;

/** TBSCertificate.extensions, `[3] EXPLICIT`. */
const EXTENSIONS_TAG = 0xa3;
/** GeneralName's choices, which are `IMPLICIT` (RFC 5280 §4.2.1.6). */
const GENERAL_NAME = { email: 0x81, dns: 0x82, uri: 0x86, ip: 0x87 } as const;
/**
 * Names are IA5String. What is no printable ASCII has no business in one, and NUL, line breaks and quotes have fooled those
 * who compare or print them (CVE-2021-44532, CVE-2022-21656).
 */
const NAME_TEXT = /^[\x21\x23-\x26\x28-\x5b\x5d-\x7e]*$/;

/** undefined where the bytes are no certificate, or one whose names cannot be trusted to say what they seem to. */
export function readCertificateExtensions(der: Buffer): CertificateExtensions | undefined {
  const extensions = extensionsOf(der);
  if (extensions === undefined) return undefined;
  const names = readNames(extensions.get(OID.subjectAltName));
  const isCertificateAuthority = readBasicConstraints(extensions.get(OID.basicConstraints));
  const keyUsage = readKeyUsage(extensions.get(OID.keyUsage));
  const extendedKeyUsage = readExtendedKeyUsage(extensions.get(OID.extendedKeyUsage));
  if (names === undefined || isCertificateAuthority === undefined) return undefined;
  if (keyUsage === 'malformed' || extendedKeyUsage === 'malformed') return undefined;
  return { ...names, isCertificateAuthority, keyUsage, extendedKeyUsage };
}

/** The content of each extension's OCTET STRING by its identifier; one that stands twice makes the whole no certificate. */
function extensionsOf(der: Buffer): ReadonlyMap<string, Buffer> | undefined {
  const [certificate] = readDer(der) ?? [];
  const [toBeSigned] = readDerInside(certificate, DER_TAG.sequence) ?? [];
  const fields = readDerInside(toBeSigned, DER_TAG.sequence);
  if (fields === undefined) return undefined;
  const byIdentifier = new Map<string, Buffer>();
  const holder = fields.find(({ tag }) => tag === EXTENSIONS_TAG);
  if (holder === undefined) return byIdentifier;
  const list = readDerInside(readDer(holder.content)?.[0], DER_TAG.sequence);
  if (list === undefined) return undefined;
  for (const extension of list) {
    const parts = readDerInside(extension, DER_TAG.sequence);
    const identifier = objectIdentifierText(parts?.[0]);
    const value = parts?.at(-1);
    if (identifier === undefined || value?.tag !== DER_TAG.octetString || byIdentifier.has(identifier))
      return undefined;
    byIdentifier.set(identifier, value.content);
  }
  return byIdentifier;
}

type Names = Pick<CertificateExtensions, 'uriNames' | 'dnsNames' | 'emailNames' | 'ipAddresses'>;

function readNames(value: Buffer | undefined): Names | undefined {
  const names = { uriNames: [] as string[], dnsNames: [] as string[], emailNames: [] as string[] };
  const ipAddresses: string[] = [];
  if (value === undefined) return { ...names, ipAddresses };
  const list = readDerInside(readDer(value)?.[0], DER_TAG.sequence);
  if (list === undefined) return undefined;
  const texts: Readonly<Record<number, string[]>> = {
    [GENERAL_NAME.uri]: names.uriNames,
    [GENERAL_NAME.dns]: names.dnsNames,
    [GENERAL_NAME.email]: names.emailNames,
  };
  for (const { tag, content } of list) {
    const text = content.toString('latin1');
    const target = texts[tag];
    if (target !== undefined) {
      if (!NAME_TEXT.test(text)) return undefined;
      target.push(text);
    } else if (tag === GENERAL_NAME.ip) {
      const address = ipText(content);
      if (address === undefined) return undefined;
      ipAddresses.push(address);
    }
  }
  return { ...names, ipAddresses };
}

/** `cA` is absent where it is false; undefined where the extension cannot be read. */
function readBasicConstraints(value: Buffer | undefined): boolean | undefined {
  if (value === undefined) return false;
  const parts = readDerInside(readDer(value)?.[0], DER_TAG.sequence);
  if (parts === undefined) return undefined;
  const [first] = parts;
  return first?.tag === DER_TAG.boolean && first.content[0] !== 0;
}

/** Bits are counted from the highest of the octet behind the one that says how many are unused (RFC 5280 §4.2.1.3). */
function readKeyUsage(value: Buffer | undefined): KeyUsage | undefined | 'malformed' {
  if (value === undefined) return undefined;
  const [bits] = readDer(value) ?? [];
  if (bits?.tag !== DER_TAG.bitString || bits.content.length < 1) return 'malformed';
  const octet = bits.content[1] ?? 0;
  return {
    digitalSignature: (octet & 0x80) !== 0,
    keyCertSign: (octet & 0x04) !== 0,
    crlSign: (octet & 0x02) !== 0,
  };
}

function readExtendedKeyUsage(value: Buffer | undefined): readonly string[] | undefined | 'malformed' {
  if (value === undefined) return undefined;
  const list = readDerInside(readDer(value)?.[0], DER_TAG.sequence);
  const identifiers = list?.map(objectIdentifierText);
  return identifiers?.every((identifier) => identifier !== undefined) === true ? identifiers : 'malformed';
}

/** X.690 §8.19: base 128, the first two numbers folded into one. */
function objectIdentifierText(element: DerElement | undefined): string | undefined {
  if (element?.tag !== DER_TAG.objectIdentifier) return undefined;
  const numbers: number[] = [];
  let number = 0;
  for (const octet of element.content) {
    number = number * 128 + (octet & 0x7f);
    if (number > Number.MAX_SAFE_INTEGER) return undefined;
    if (octet >= 0x80) continue;
    numbers.push(number);
    number = 0;
  }
  const [first, ...rest] = numbers;
  if (first === undefined || (element.content.at(-1) ?? 0x80) >= 0x80) return undefined;
  const top = Math.min(2, Math.floor(first / 40));
  return [top, first - top * 40, ...rest].join('.');
}

function ipText(octets: Buffer): string | undefined {
  if (octets.length === 4) return [...octets].join('.');
  if (octets.length !== 16) return undefined;
  const groups = Array.from({ length: 8 }, (_, index) => octets.readUInt16BE(index * 2).toString(16));
  return new SocketAddress({ address: groups.join(':'), family: 'ipv6' }).address;
}
