import type { Address } from '../resource/address.ts';
import type { EventTurn } from './event-turn.ts';
import { NetStreamSocket } from './net-stream-socket.ts';
import { dialSocket } from './sockets.ts';
import type { StreamSocket, StreamSocketUser } from './stream-socket.ts';
import type { DialledTls } from './tls/stream-handshake.ts';
import { connectTls, type OpenedTls } from './tls/tls-socket.ts';

/** One address being dialled. */
export interface DialAttempt {
  readonly socket: StreamSocket;
  /** undefined: plaintext, and the user is told when it is connected. */
  readonly tls: OpenedTls | undefined;
}

/** Dials, and begins to speak TLS once the address is reached. */
export function dialAddress(
  turn: EventTurn,
  address: Address,
  tls: DialledTls | undefined,
  highWaterMark: number,
  user: StreamSocketUser,
): DialAttempt {
  if (tls?.compiled === undefined) return { socket: dialSocket(turn, address, highWaterMark, user), tls: undefined };
  const { compiled, alpn, sni } = tls;
  const opened = connectTls(address, turn.lentBuffer, { compiled, alpn, sni, highWaterMark });
  return { socket: NetStreamSocket.secured(opened, turn.lentBuffer, user), tls: opened };
}
