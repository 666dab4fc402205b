import { describe } from 'vitest';
import { peerBinary } from '../install/locate.ts';
import type { PeerName } from '../install/peers.ts';

/** A `describe` whose tests need real peers. Without them it is skipped, and its title says how to get them. */
export function describeWithPeer(names: PeerName | readonly PeerName[], title: string, body: () => void): void {
  const needed = typeof names === 'string' ? [names] : names;
  const missing = needed.filter((name) => peerBinary(name) === undefined);
  if (missing.length === 0) {
    describe(title, body);
  } else {
    describe.skip(`${title} (needs peer ${missing.join(', ')}: run npm run peers)`, body);
  }
}

/** The path of a peer's program, for starters that are called under `describeWithPeer`. */
export function requirePeer(name: PeerName): string {
  const path = peerBinary(name);
  if (path === undefined) throw new Error(`needs peer ${name}: run npm run peers`);
  return path;
}
