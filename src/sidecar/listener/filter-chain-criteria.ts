import { BlockList } from 'node:net';
import type { CidrRange } from '../../resource/address.ts';
import type { FilterChainMatch } from '../../resource/listener.ts';

/** What a filter chain is chosen by. */
export interface ConnectionFacts {
  readonly localAddress: string;
  readonly localPort: number;
  /** In lower case; '' where the client named none or nobody looked. */
  readonly serverName: string;
  readonly transportProtocol: 'raw_buffer' | 'tls';
  /** In the client's order of preference. */
  readonly applicationProtocols: readonly string[];
  /** The socket's own peer. Addresses are '' on Unix sockets. */
  readonly directRemoteAddress: string;
  /** The client that the PROXY protocol told of, else the socket's peer. */
  readonly remoteAddress: string;
  readonly remotePort: number;
}

/** How specifically a chain matches: negative not at all, 0 because it asks nothing, above that the more the better. */
export type Score = (facts: ConnectionFacts) => number;

/** One thing that chains may ask of connections; undefined where a match does not. */
type Criterion = (match: FilterChainMatch) => Score | undefined;

/** In Envoy's order. */
export const CRITERIA: readonly Criterion[] = [
  ({ destinationPort: port }) => (port === undefined ? undefined : (facts) => (facts.localPort === port ? 1 : -1)),
  ({ prefixRanges }) => addressScore(prefixRanges, (facts) => facts.localAddress),
  ({ serverNames }) => (serverNames.length === 0 ? undefined : (facts) => scoreServerName(serverNames, facts)),
  ({ transportProtocol: protocol }) =>
    protocol === '' ? undefined : (facts) => (facts.transportProtocol === protocol ? 1 : -1),
  ({ applicationProtocols: protocols }) =>
    protocols.length === 0 ? undefined : (facts) => scoreApplicationProtocols(protocols, facts),
  ({ source }) => source && addressScore(source.directPrefixRanges, (facts) => facts.directRemoteAddress),
  ({ source }) => sourceTypeScore(source?.type ?? 'any'),
  ({ source }) => source && addressScore(source.prefixRanges, (facts) => facts.remoteAddress),
  ({ source }) => sourcePortScore(source?.ports ?? []),
];

/** The longest range that holds the address decides. */
function addressScore(
  prefixRanges: readonly CidrRange[],
  addressOf: (facts: ConnectionFacts) => string,
): Score | undefined {
  if (prefixRanges.length === 0) return undefined;
  const ranges = prefixRanges.map(rangeOf);
  return (facts) => {
    const address = plainAddress(addressOf(facts));
    const family = address.includes(':') ? 'ipv6' : 'ipv4';
    let longest = -1;
    for (const range of ranges) {
      const isLonger = range.family === family && range.prefixLength > longest;
      if (isLonger && range.addresses.check(address, family)) longest = range.prefixLength;
    }
    return longest < 0 ? -1 : longest + 1;
  };
}

/** A whole name before any wildcard, a longer wildcard before a shorter one. */
function scoreServerName(serverNames: readonly string[], { serverName }: ConnectionFacts): number {
  let best = -1;
  for (const name of serverNames) {
    if (name === serverName) return Number.POSITIVE_INFINITY;
    const isMatch = name === '*' || (name.startsWith('*.') && serverName.endsWith(name.slice(1)));
    if (isMatch && name.length > best && serverName.length >= name.length) best = name.length;
  }
  return best;
}

/** The protocol that the client would rather speak decides. */
function scoreApplicationProtocols(protocols: readonly string[], { applicationProtocols }: ConnectionFacts): number {
  const index = applicationProtocols.findIndex((protocol) => protocols.includes(protocol));
  return index < 0 ? -1 : applicationProtocols.length - index;
}

function sourceTypeScore(type: 'any' | 'sameIpOrLoopback' | 'external'): Score | undefined {
  if (type === 'any') return undefined;
  const wantsLocal = type === 'sameIpOrLoopback';
  return (facts) => (isFromThisHost(facts) === wantsLocal ? 1 : -1);
}

function sourcePortScore(ports: readonly number[]): Score | undefined {
  return ports.length === 0 ? undefined : ({ remotePort }) => (ports.includes(remotePort) ? 1 : -1);
}

/** As Envoy tells it: of 127.0.0.0/8 its first address alone, and whoever has the address that was called (Unix sockets: none). */
function isFromThisHost(facts: ConnectionFacts): boolean {
  const remote = plainAddress(facts.remoteAddress);
  return remote === '127.0.0.1' || remote === '::1' || remote === plainAddress(facts.localAddress);
}

interface Range {
  readonly family: 'ipv4' | 'ipv6';
  readonly prefixLength: number;
  readonly addresses: BlockList;
}

function rangeOf({ addressPrefix, prefixLength }: CidrRange): Range {
  const family = addressPrefix.includes(':') ? 'ipv6' : 'ipv4';
  const addresses = new BlockList();
  addresses.addSubnet(addressPrefix, prefixLength, family);
  return { family, prefixLength, addresses };
}

/** IPv4 that came through a socket of both families is IPv4; ranges know no zones (`fe80::1%eth0`). */
function plainAddress(address: string): string {
  if (address.startsWith('::ffff:')) return address.slice('::ffff:'.length);
  const zone = address.indexOf('%');
  return zone === -1 ? address : address.slice(0, zone);
}
