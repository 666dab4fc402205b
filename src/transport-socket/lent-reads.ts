import net from 'node:net';
import type { Address } from '../resource/address.ts';
import type { LentBuffer } from './lent-buffer.ts';

/** Called with the number of bytes now in the shared buffer. They are gone when it returns. */
export type LentRead = (length: number) => void;

/** A socket that reads into the shared buffer, and who is told of it. */
export class LentSocket {
  readonly socket: net.Socket;
  onLent: LentRead = () => undefined;

  private constructor(socket: net.Socket) {
    this.socket = socket;
  }

  /** `options` are net.Socket's, those included that it takes and its types do not name. */
  static open(lent: LentBuffer, options: object): LentSocket {
    const callback = (length: number, buffer: Uint8Array): boolean => {
      self.onLent(length);
      lent.taken(buffer);
      return true;
    };
    const all: net.SocketConstructorOpts = { allowHalfOpen: true };
    Object.assign(all, options, { onread: { buffer: lent.next, callback } });
    const self = new LentSocket(new net.Socket(all));
    return self;
  }
}

interface Handle {
  readonly readStart: unknown;
  readonly readStop: unknown;
}

/**
 * Gives an accepted socket what only dialled ones have: the `onread` option, which reads into one shared buffer instead of
 * a fresh Buffer and a stream push per read. The socket must come from a server with `pauseOnConnect`, so that nothing has
 * been read. Its handle moves to a new net.Socket; the old one is spent. Returns undefined where this Node has no such
 * handle: the caller then reads through 'data' events, slower and no less right.
 */
export function adoptForLentReads(
  accepted: net.Socket,
  lent: LentBuffer,
  highWaterMark: number,
): LentSocket | undefined {
  const handle: unknown = Reflect.get(accepted, '_handle');
  if (!isHandle(handle)) return undefined;
  // With manualStart nothing is read before resume().
  const adopted = LentSocket.open(lent, { handle, highWaterMark, manualStart: true });
  if (Reflect.get(adopted.socket, '_handle') !== handle) return undefined;
  // Without a handle destroy() only settles the server's own connection count.
  Reflect.set(accepted, '_handle', null);
  accepted.destroy();
  return adopted;
}

/** Dials; reading starts when the connection is there. */
export function connectForLentReads(address: Address, lent: LentBuffer, highWaterMark: number): LentSocket {
  const dialled = LentSocket.open(lent, { highWaterMark, noDelay: true });
  const { socket } = dialled;
  if (address.kind === 'pipe') socket.connect({ path: address.path });
  else socket.connect({ host: address.host, port: address.port });
  return dialled;
}

function isHandle(candidate: unknown): candidate is Handle {
  return (
    typeof candidate === 'object' &&
    candidate !== null &&
    typeof Reflect.get(candidate, 'readStart') === 'function' &&
    typeof Reflect.get(candidate, 'readStop') === 'function'
  );
}
