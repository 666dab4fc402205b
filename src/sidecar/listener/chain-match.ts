import { BlockList } from 'node:net';
import type { FilterChainMatch } from '../../resource/listener.ts';

/** What is known of a connection before a byte of it has been read. */
export interface ConnectionFacts {
  readonly localAddress: string;
  readonly localPort: number;
}

/** How well a chain matches: −1 not at all, else larger is more specific, by Envoy's order (port, then address). */
export function matchScore(match: FilterChainMatch, facts: ConnectionFacts): number {
  if (match.serverNames.length > 0 || match.applicationProtocols.length > 0) return -1;
  if (match.transportProtocol !== '' && match.transportProtocol !== 'raw_buffer') return -1;
  if (match.destinationPort !== undefined && match.destinationPort !== facts.localPort) return -1;
  const prefixLength = longestPrefix(match, facts.localAddress);
  if (prefixLength < 0) return -1;
  const portScore = match.destinationPort === undefined ? 0 : 1_000;
  return portScore + prefixLength * 2 + (match.transportProtocol === '' ? 0 : 1);
}

/** The most specific chain that matches; undefined where none does. */
export function selectChain<T extends { readonly match: FilterChainMatch }>(
  chains: readonly T[],
  facts: ConnectionFacts,
): T | undefined {
  let best: T | undefined;
  let bestScore = -1;
  for (const chain of chains) {
    const score = matchScore(chain.match, facts);
    if (score > bestScore) {
      best = chain;
      bestScore = score;
    }
  }
  return best;
}

/** 0 where the match names no range. */
function longestPrefix(match: FilterChainMatch, address: string): number {
  if (match.prefixRanges.length === 0) return 0;
  const plain = address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address;
  const family = plain.includes(':') ? 'ipv6' : 'ipv4';
  let longest = -1;
  for (const { addressPrefix, prefixLength } of match.prefixRanges) {
    const rangeFamily = addressPrefix.includes(':') ? 'ipv6' : 'ipv4';
    if (rangeFamily !== family || prefixLength <= longest) continue;
    const range = new BlockList();
    range.addSubnet(addressPrefix, prefixLength, family);
    if (range.check(plain, family)) longest = prefixLength;
  }
  return longest;
}
