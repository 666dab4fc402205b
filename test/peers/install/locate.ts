import { accessSync, constants } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { PEERS, type PeerName } from './peers.ts';

/** Where peers live: `WEFT_PEERS_DIR`, else `weft/peers` in the user's cache directory, so that clones share them. */
export function peersDirectory(env: NodeJS.ProcessEnv = process.env): string {
  const chosen = env['WEFT_PEERS_DIR'];
  if (chosen !== undefined && chosen !== '') return resolve(chosen);
  const cache = env['XDG_CACHE_HOME'];
  // The XDG specification tells us to ignore a relative path.
  const base = cache !== undefined && isAbsolute(cache) ? cache : join(homedir(), '.cache');
  return join(base, 'weft', 'peers');
}

/** Where this version of the peer is, or will be once it is installed. */
export function peerHome(name: PeerName, directory: string = peersDirectory()): string {
  return join(directory, name, PEERS[name].version);
}

/** The path of the peer's program, or undefined when `npm run peers` has not installed this version of it. */
export function peerBinary(name: PeerName, directory: string = peersDirectory()): string | undefined {
  const path = join(peerHome(name, directory), 'bin', name);
  try {
    accessSync(path, constants.X_OK);
    return path;
  } catch {
    return undefined;
  }
}
