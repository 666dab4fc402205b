import { BlockList } from 'node:net';
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
}

interface Candidate<T> {
  readonly chain: T;
  readonly match: FilterChainMatch;
  readonly ranges: readonly Range[];
}

interface Range {
  readonly family: 'ipv4' | 'ipv6';
  readonly prefixLength: number;
  readonly addresses: BlockList;
}

/** How specifically a candidate matches: negative not at all, 0 because it asks nothing, above that the more the better. */
type Score<T> = (candidate: Candidate<T>, facts: ConnectionFacts) => number;

/**
 * Chooses among filter chains as Envoy does: criterion after criterion, in a fixed order, those that match it most
 * specifically go on to the next. There is no way back: where only one chain names a port, connections to that port end
 * there, whatever its other criteria say.
 */
export class FilterChainSelector<T extends { readonly match: FilterChainMatch }> {
  readonly #candidates: readonly Candidate<T>[];
  readonly #isTrivial: boolean;

  constructor(chains: readonly T[]) {
    this.#candidates = chains.map((chain) => ({
      chain,
      match: chain.match,
      ranges: chain.match.prefixRanges.map(({ addressPrefix, prefixLength }) => rangeOf(addressPrefix, prefixLength)),
    }));
    this.#isTrivial = chains.length === 1 && chains.every(({ match }) => asksNothing(match));
  }

  /** The chain for a connection; undefined where none matches. */
  select(facts: ConnectionFacts): T | undefined {
    if (this.#isTrivial) return this.#candidates[0]?.chain;
    let left = this.#candidates;
    for (const score of ORDER) left = mostSpecific(left, score, facts);
    return left[0]?.chain;
  }
}

/** Whether a match can only be decided by what a client says first. */
export function needsTlsInspector({ match }: { readonly match: FilterChainMatch }): boolean {
  if (match.transportProtocol === 'tls') return true;
  return match.transportProtocol === '' && (match.serverNames.length > 0 || match.applicationProtocols.length > 0);
}

function asksNothing(match: FilterChainMatch): boolean {
  return (
    match.destinationPort === undefined &&
    match.prefixRanges.length === 0 &&
    match.serverNames.length === 0 &&
    match.transportProtocol === '' &&
    match.applicationProtocols.length === 0
  );
}

const ORDER: readonly Score<unknown>[] = [
  scorePort,
  scoreAddress,
  scoreServerName,
  scoreTransportProtocol,
  scoreApplicationProtocols,
];

function mostSpecific<T>(
  candidates: readonly Candidate<T>[],
  score: Score<unknown>,
  facts: ConnectionFacts,
): readonly Candidate<T>[] {
  let best = 0;
  let left: Candidate<T>[] = [];
  for (const candidate of candidates) {
    const own = score(candidate, facts);
    if (own > best) {
      best = own;
      left = [candidate];
    } else if (own === best) left.push(candidate);
  }
  return left;
}

function scorePort({ match }: Candidate<unknown>, facts: ConnectionFacts): number {
  if (match.destinationPort === undefined) return 0;
  return match.destinationPort === facts.localPort ? 1 : -1;
}

function scoreAddress({ ranges }: Candidate<unknown>, { localAddress }: ConnectionFacts): number {
  if (ranges.length === 0) return 0;
  const address = localAddress.startsWith('::ffff:') ? localAddress.slice('::ffff:'.length) : localAddress;
  const family = address.includes(':') ? 'ipv6' : 'ipv4';
  let longest = -1;
  for (const range of ranges) {
    const isLonger = range.family === family && range.prefixLength > longest;
    if (isLonger && range.addresses.check(address, family)) longest = range.prefixLength;
  }
  return longest < 0 ? -1 : longest + 1;
}

/** A whole name before any wildcard, a longer wildcard before a shorter one. */
function scoreServerName({ match }: Candidate<unknown>, { serverName }: ConnectionFacts): number {
  if (match.serverNames.length === 0) return 0;
  let best = -1;
  for (const name of match.serverNames) {
    if (name === serverName) return Number.POSITIVE_INFINITY;
    const isMatch = name === '*' || (name.startsWith('*.') && serverName.endsWith(name.slice(1)));
    if (isMatch && name.length > best && serverName.length >= name.length) best = name.length;
  }
  return best;
}

function scoreTransportProtocol({ match }: Candidate<unknown>, facts: ConnectionFacts): number {
  if (match.transportProtocol === '') return 0;
  return match.transportProtocol === facts.transportProtocol ? 1 : -1;
}

/** The protocol that the client would rather speak decides. */
function scoreApplicationProtocols({ match }: Candidate<unknown>, facts: ConnectionFacts): number {
  if (match.applicationProtocols.length === 0) return 0;
  const { applicationProtocols } = facts;
  const index = applicationProtocols.findIndex((protocol) => match.applicationProtocols.includes(protocol));
  return index < 0 ? -1 : applicationProtocols.length - index;
}

function rangeOf(addressPrefix: string, prefixLength: number): Range {
  const family = addressPrefix.includes(':') ? 'ipv6' : 'ipv4';
  const addresses = new BlockList();
  addresses.addSubnet(addressPrefix, prefixLength, family);
  return { family, prefixLength, addresses };
}
