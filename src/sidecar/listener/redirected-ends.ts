import type net from 'node:net';
import { originalDestinationOf, type ProxiedAddresses } from '../../transport-socket/transport-socket.ts';

/** Who connected and where it meant to go; undefined where nobody redirected it. */
export function redirectedEndsOf(socket: net.Socket): ProxiedAddresses | undefined {
  const destination = originalDestinationOf(socket);
  if (destination === undefined) return undefined;
  return {
    sourceAddress: socket.remoteAddress ?? '',
    sourcePort: socket.remotePort ?? 0,
    destinationAddress: destination.host,
    destinationPort: destination.port,
  };
}
