import net from 'node:net';
import { latin1Text } from './latin1.ts';
import { type ProxiedAddresses, V2_SIGNATURE } from './proxy-protocol.ts';

export type ProxyProtocolVersion = 'v1' | 'v2';

/**
 * The header that tells an upstream whose connection this is, as latin1 text. Without addresses, or with two of different
 * families, it says that the connection speaks for itself: UNKNOWN in version 1, LOCAL in version 2.
 */
export function proxyHeaderText(version: ProxyProtocolVersion, addresses: ProxiedAddresses | undefined): string {
  const plain = addresses === undefined ? undefined : ofOneFamily(addresses);
  return version === 'v1' ? v1Text(plain) : latin1Text(v2Bytes(plain), 0, V2_HEADER_BYTES[plain?.family ?? 'none']);
}

interface PlainAddresses extends ProxiedAddresses {
  readonly family: 'ipv4' | 'ipv6';
}

const V2_HEADER_BYTES = { none: 16, ipv4: 28, ipv6: 52 } as const;
const V2_FAMILY = { ipv4: 0x11, ipv6: 0x21 } as const;
const V2_LOCAL = 0x20;
const V2_PROXY = 0x21;

function v1Text(addresses: PlainAddresses | undefined): string {
  if (addresses === undefined) return 'PROXY UNKNOWN\r\n';
  const { family, sourceAddress, destinationAddress, sourcePort, destinationPort } = addresses;
  const protocol = family === 'ipv4' ? 'TCP4' : 'TCP6';
  return `PROXY ${protocol} ${sourceAddress} ${destinationAddress} ${sourcePort} ${destinationPort}\r\n`;
}

function v2Bytes(addresses: PlainAddresses | undefined): Buffer {
  const family = addresses?.family ?? 'none';
  const header = Buffer.alloc(V2_HEADER_BYTES[family]);
  V2_SIGNATURE.copy(header);
  header.writeUInt8(addresses === undefined ? V2_LOCAL : V2_PROXY, 12);
  if (addresses === undefined) return header;
  header.writeUInt8(V2_FAMILY[addresses.family], 13);
  header.writeUInt16BE(header.length - 16, 14);
  const parse = addresses.family === 'ipv4' ? ipv4Bytes : ipv6Bytes;
  header.set([...parse(addresses.sourceAddress), ...parse(addresses.destinationAddress)], 16);
  header.writeUInt16BE(addresses.sourcePort, header.length - 4);
  header.writeUInt16BE(addresses.destinationPort, header.length - 2);
  return header;
}

/** Sockets that listen on both families show IPv4 peers as `::ffff:a.b.c.d`. */
function ofOneFamily(addresses: ProxiedAddresses): PlainAddresses | undefined {
  const sourceAddress = withoutMapping(addresses.sourceAddress);
  const destinationAddress = withoutMapping(addresses.destinationAddress);
  const family = net.isIP(sourceAddress);
  if (family === 0 || family !== net.isIP(destinationAddress)) return undefined;
  return { ...addresses, sourceAddress, destinationAddress, family: family === 4 ? 'ipv4' : 'ipv6' };
}

function withoutMapping(address: string): string {
  const withoutZone = address.replace(/%.*$/, '');
  const plain = withoutZone.toLowerCase().startsWith('::ffff:') ? withoutZone.slice('::ffff:'.length) : withoutZone;
  return net.isIPv4(plain) ? plain : withoutZone;
}

function ipv4Bytes(address: string): number[] {
  return address.split('.').map(Number);
}

function ipv6Bytes(address: string): number[] {
  const [head = '', tail] = dottedTailAsGroups(address).split('::');
  const left = groupsOf(head);
  const right = tail === undefined ? [] : groupsOf(tail);
  const gap = new Array<number>(8 - left.length - right.length).fill(0);
  return [...left, ...gap, ...right].flatMap((group) => [group >> 8, group & 0xff]);
}

function groupsOf(text: string): number[] {
  return text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
}

/** `64:ff9b::192.0.2.1` ends in two groups written as an IPv4 address. */
function dottedTailAsGroups(address: string): string {
  const at = address.lastIndexOf(':') + 1;
  const tail = address.slice(at);
  if (!net.isIPv4(tail)) return address;
  const [a = 0, b = 0, c = 0, d = 0] = ipv4Bytes(tail);
  return `${address.slice(0, at)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
}
