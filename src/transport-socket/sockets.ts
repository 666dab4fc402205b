import type net from 'node:net';
import type { Address } from '../resource/address.ts';
import type { EventTurn } from './event-turn.ts';
import { HandleSocket } from './handle-socket.ts';
import { NetStreamSocket } from './net-stream-socket.ts';
import type { StreamSocket, StreamSocketUser } from './stream-socket.ts';

/** Takes over an accepted socket, by its handle where that can be driven. */
export function acceptSocket(
  turn: EventTurn,
  socket: net.Socket,
  highWaterMarkBytes: number,
  user: StreamSocketUser,
): StreamSocket {
  const taken = turn.drivesHandles ? HandleSocket.accept(socket, turn.lentBuffer, user) : undefined;
  return taken ?? NetStreamSocket.accept(socket, turn.lentBuffer, highWaterMarkBytes, user);
}

/** Dials, by a handle where one suffices. */
export function dialSocket(
  turn: EventTurn,
  address: Address,
  highWaterMarkBytes: number,
  user: StreamSocketUser,
): StreamSocket {
  const dialled = turn.drivesHandles ? HandleSocket.connect(address, turn.lentBuffer, user) : undefined;
  return dialled ?? NetStreamSocket.connect(address, turn.lentBuffer, highWaterMarkBytes, user);
}
