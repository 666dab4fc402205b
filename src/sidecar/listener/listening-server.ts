import net from 'node:net';
import { addressText } from '../../resource/address.ts';
import type { Listener } from '../../resource/listener.ts';
import { bindsUnixSockets, listenOnUnixSocket } from './unix-socket.ts';

/** What becomes of a server. */
export interface ServerEvents {
  readonly onConnection: (socket: net.Socket) => void;
  readonly onListening: (server: net.Server) => void;
  readonly onError: (server: net.Server, error: Error) => void;
}

/** Whether this worker binds the listener's address at all: unix sockets are one worker's, and some listeners nobody's. */
export function bindsHere({ address, bindToPort }: Listener, workerId: number): boolean {
  return bindToPort !== false && (address.kind === 'ip' || bindsUnixSockets(workerId));
}

/** A server at the listener's address; sockets come unread. */
export function listenAt({ address, tcpBacklogSize }: Listener, events: ServerEvents): net.Server {
  const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true });
  server.on('connection', events.onConnection);
  server.on('error', (error) => events.onError(server, error));
  server.on('listening', () => events.onListening(server));
  const backlog = tcpBacklogSize > 0 ? { backlog: tcpBacklogSize } : {};
  if (address.kind === 'pipe') listenOnUnixSocket(server, address, backlog);
  else {
    const ipv6Only = net.isIPv6(address.host) && address.ipv4Compat !== true;
    server.listen({ host: address.host, port: address.port, reusePort: true, ipv6Only, ...backlog });
  }
  return server;
}

export function bindFailureText(listener: Listener, error: Error): string {
  const code: unknown = Reflect.get(error, 'code');
  const where = addressText(listener.address);
  const remedy =
    code === 'EADDRINUSE'
      ? 'another program holds it; stop that program or change the address'
      : code === 'EACCES'
        ? 'this user may not bind it; use a port above 1023 or give the right to bind'
        : 'check that the address exists on this machine';
  return `listener ${listener.name}: cannot bind ${where} (${String(code)}): ${remedy}`;
}
