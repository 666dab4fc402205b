import type { BenchOptions } from '../harness/options.ts';
import type { FoundPeer, Peer } from './peer.ts';

/** Those that are there and asked for, weft always among them; and those that are not there, with the reason. */
export function selectPeers(
  candidates: readonly FoundPeer[],
  options: BenchOptions,
): { readonly peers: readonly Peer[]; readonly missing: Readonly<Record<string, string>> } {
  const peers: Peer[] = [];
  const missing: Record<string, string> = {};
  for (const candidate of candidates) {
    if (!candidate.found) missing[candidate.name] = candidate.reason;
    else if (candidate.peer.name === 'weft' || (options.only?.includes(candidate.peer.name) ?? true))
      peers.push(candidate.peer);
  }
  return { peers, missing };
}
