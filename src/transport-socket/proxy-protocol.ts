import net from 'node:net';
import { ByteCursor } from './byte-cursor.ts';
import { latin1Text } from './latin1.ts';

/** The two ends of a connection as the PROXY protocol tells them. */
export interface ProxiedAddresses {
  readonly sourceAddress: string;
  readonly sourcePort: number;
  readonly destinationAddress: string;
  readonly destinationPort: number;
}

export type ProxyHeaderInspection =
  /** Ask again once at least so many bytes are there. */
  | { readonly kind: 'incomplete'; readonly neededBytes: number }
  /** The first bytes cannot begin a header of either version. */
  | { readonly kind: 'absent' }
  | {
      readonly kind: 'header';
      readonly version: 1 | 2;
      /** Bytes of the header; what follows belongs to the connection. */
      readonly length: number;
      /** undefined where the header leaves the connection's own ends in force: LOCAL, UNKNOWN, UNSPEC and unix sockets. */
      readonly addresses: ProxiedAddresses | undefined;
    }
  | { readonly kind: 'malformed'; readonly version: 1 | 2; readonly reason: ProxyHeaderFault };

export type ProxyHeaderFault =
  | 'line-too-long'
  | 'line-format'
  | 'address'
  | 'port'
  | 'signature'
  | 'version'
  | 'command'
  | 'family'
  | 'too-long'
  | 'length'
  | 'tlv';

/** As the specification counts: the longest possible line of version 1 with its CRLF. */
const MAX_V1_BYTES = 107;
/** The specification asks for at least 536; certificates in TLVs make real ones a few KiB long. */
export const MAX_PROXY_HEADER_BYTES = 16_384;

const V1_SIGNATURE = Buffer.from('PROXY ', 'latin1');
export const V2_SIGNATURE: Buffer = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const V2_FIXED_BYTES = 16;

const COMMAND_LOCAL = 0;
const COMMAND_PROXY = 1;
const FAMILY_UNSPEC = 0x00;
const FAMILY_TCP4 = 0x11;
const FAMILY_TCP6 = 0x21;
const FAMILY_UNIX_STREAM = 0x31;
/** Bytes of both addresses and ports, by family. */
const ADDRESS_BYTES: Readonly<Record<number, number>> = {
  [FAMILY_TCP4]: 12,
  [FAMILY_TCP6]: 36,
  [FAMILY_UNIX_STREAM]: 216,
};

/**
 * PROXY protocol, versions 1 and 2, as the first bytes of a connection. Nothing is decided on bytes that may still change the
 * answer. Lengths must add up exactly: a header that may end in two places would let a client speak in the proxy's name.
 */
export function inspectProxyHeader(bytes: Buffer): ProxyHeaderInspection {
  if (bytes.length === 0) return incomplete(1);
  if (isPrefix(bytes, V1_SIGNATURE)) {
    return bytes.length < V1_SIGNATURE.length ? incomplete(bytes.length + 1) : inspectV1(bytes);
  }
  if (isPrefix(bytes, V2_SIGNATURE)) {
    return bytes.length < V2_FIXED_BYTES ? incompleteV2(bytes) : inspectV2(bytes);
  }
  return { kind: 'absent' };
}

/** Whether the bytes there are agree with the signature. */
function isPrefix(bytes: Buffer, signature: Buffer): boolean {
  const length = Math.min(bytes.length, signature.length);
  return bytes.compare(signature, 0, length, 0, length) === 0;
}

function inspectV1(bytes: Buffer): ProxyHeaderInspection {
  const window = bytes.subarray(0, MAX_V1_BYTES);
  const lineFeed = window.indexOf(0x0a);
  if (lineFeed < 0) {
    return bytes.length >= MAX_V1_BYTES ? malformed(1, 'line-too-long') : incomplete(bytes.length + 1);
  }
  const line = latin1Text(window, V1_SIGNATURE.length, lineFeed);
  if (!line.endsWith('\r') || line.indexOf('\r') < line.length - 1) return malformed(1, 'line-format');
  const length = lineFeed + 1;
  const [family, sourceAddress, destinationAddress, sourcePort, destinationPort, ...surplus] = line
    .slice(0, -1)
    .split(' ');
  // Whatever follows UNKNOWN is to be passed over.
  if (family === 'UNKNOWN') return { kind: 'header', version: 1, length, addresses: undefined };
  const isKnown = family === 'TCP4' || family === 'TCP6';
  if (!isKnown || destinationPort === undefined || surplus.length > 0) return malformed(1, 'line-format');
  const isAddress = family === 'TCP4' ? net.isIPv4 : isPlainIpv6;
  if (!isAddress(sourceAddress ?? '') || !isAddress(destinationAddress ?? '')) return malformed(1, 'address');
  if (!isPort(sourcePort ?? '') || !isPort(destinationPort)) return malformed(1, 'port');
  const addresses = {
    sourceAddress: sourceAddress ?? '',
    sourcePort: Number(sourcePort),
    destinationAddress: destinationAddress ?? '',
    destinationPort: Number(destinationPort),
  };
  return { kind: 'header', version: 1, length, addresses };
}

/** No zone: it would name an interface of another machine. */
function isPlainIpv6(text: string): boolean {
  return net.isIPv6(text) && !text.includes('%');
}

function isPort(text: string): boolean {
  return /^(?:0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535;
}

/** The version is the first thing after the signature, and is looked at as soon as it is there. */
function incompleteV2(bytes: Buffer): ProxyHeaderInspection {
  const fault = fixedPartFault(bytes);
  return fault === undefined ? incomplete(bytes.length < 13 ? 13 : V2_FIXED_BYTES) : malformed(2, fault);
}

function fixedPartFault(bytes: Buffer): ProxyHeaderFault | undefined {
  const versionAndCommand = bytes[12];
  if (versionAndCommand === undefined) return undefined;
  if (versionAndCommand >> 4 !== 2) return 'version';
  const command = versionAndCommand & 0x0f;
  return command === COMMAND_LOCAL || command === COMMAND_PROXY ? undefined : 'command';
}

function inspectV2(bytes: Buffer): ProxyHeaderInspection {
  const fault = fixedPartFault(bytes);
  if (fault !== undefined) return malformed(2, fault);
  const isLocal = (bytes.readUInt8(12) & 0x0f) === COMMAND_LOCAL;
  const family = bytes.readUInt8(13);
  const length = V2_FIXED_BYTES + bytes.readUInt16BE(14);
  const isPassedOver = isLocal || family === FAMILY_UNSPEC;
  const addressBytes = ADDRESS_BYTES[family];
  if (!isPassedOver && addressBytes === undefined) return malformed(2, 'family');
  if (length > MAX_PROXY_HEADER_BYTES) return malformed(2, 'too-long');
  if (!isPassedOver && length < V2_FIXED_BYTES + (addressBytes ?? 0)) return malformed(2, 'length');
  if (bytes.length < length) return incomplete(length);
  if (isPassedOver) return { kind: 'header', version: 2, length, addresses: undefined };
  const body = new ByteCursor(bytes, V2_FIXED_BYTES, length);
  const addresses = readAddresses(family, body);
  return tlvsAddUp(body) ? { kind: 'header', version: 2, length, addresses } : malformed(2, 'tlv');
}

function readAddresses(family: number, body: ByteCursor): ProxiedAddresses | undefined {
  if (family === FAMILY_UNIX_STREAM) {
    body.skip(ADDRESS_BYTES[FAMILY_UNIX_STREAM] ?? 0);
    return undefined;
  }
  const read = family === FAMILY_TCP4 ? readIpv4 : readIpv6;
  const sourceAddress = read(body);
  const destinationAddress = read(body);
  return { sourceAddress, sourcePort: body.uint16(), destinationAddress, destinationPort: body.uint16() };
}

function readIpv4(body: ByteCursor): string {
  return `${body.uint8()}.${body.uint8()}.${body.uint8()}.${body.uint8()}`;
}

/** The canonical text of RFC 5952; a mapped IPv4 address with its dots, as Node writes it. */
function readIpv6(body: ByteCursor): string {
  const groups = Array.from({ length: 8 }, () => body.uint16());
  const [high = 0, low = 0] = groups.slice(6);
  const isMapped = groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0);
  if (isMapped) return `::ffff:${high >> 8}.${high & 0xff}.${low >> 8}.${low & 0xff}`;
  const text = groups.map((group) => group.toString(16)).join(':');
  return new URL(`http://[${text}]`).hostname.slice(1, -1);
}

/** Type, length and value of each, to the last byte. What they say is passed over. */
function tlvsAddUp(body: ByteCursor): boolean {
  while (body.remaining > 0 && !body.isBroken) {
    body.skip(1);
    body.skip(body.uint16());
  }
  return body.isSpent;
}

function incomplete(neededBytes: number): ProxyHeaderInspection {
  return { kind: 'incomplete', neededBytes };
}

function malformed(version: 1 | 2, reason: ProxyHeaderFault): ProxyHeaderInspection {
  return { kind: 'malformed', version, reason };
}
