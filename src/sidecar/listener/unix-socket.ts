import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import net from 'node:net';

export interface UnixSocketPlace {
  readonly path: string;
  /** 0 leaves the permissions to the process's umask. */
  readonly mode: number;
}

/** A path is bound once, unlike a port, which all workers bind: this one does it. */
export function bindsUnixSockets(workerId: number): boolean {
  return workerId === 0;
}

/**
 * Listens on a Unix socket. A socket that nobody listens on any more, left behind by a program that was killed, is replaced; one
 * that somebody listens on, and a file that is no socket, is an `error` event of the server, as is a mode that cannot be set.
 */
export function listenOnUnixSocket(
  server: net.Server,
  place: UnixSocketPlace,
  options: { readonly backlog?: number },
): void {
  const { path, mode } = place;
  const listen = (): void => {
    server.prependOnceListener('listening', () => {
      if (mode === 0) return;
      attempt(server, () => chmodSync(path, mode));
    });
    server.listen({ path, ...options });
  };
  const probe = net.connect(path);
  probe.once('connect', () => {
    probe.destroy();
    server.emit('error', inUse(path, 'another program listens there'));
  });
  probe.once('error', (error) => {
    if ('code' in error && error.code === 'ENOENT') listen();
    else if (attempt(server, () => removeLeftover(path))) listen();
  });
}

function removeLeftover(path: string): void {
  if (!lstatSync(path).isSocket()) throw inUse(path, 'it exists and is no socket');
  unlinkSync(path);
}

function attempt(server: net.Server, act: () => void): boolean {
  try {
    act();
    return true;
  } catch (error) {
    server.emit('error', error);
    return false;
  }
}

function inUse(path: string, reason: string): Error {
  return Object.assign(new Error(`listen EADDRINUSE ${path}: ${reason}`), { code: 'EADDRINUSE' });
}
