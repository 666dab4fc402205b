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
    return LentSocket.make(lent, (onread) => {
      const all: net.SocketConstructorOpts = { allowHalfOpen: true };
      Object.assign(all, options, { onread });
      return new net.Socket(all);
    });
  }

  /** `make` gives a socket the option under the name `onread`. */
  static make(lent: LentBuffer, make: (onread: object) => net.Socket): LentSocket {
    const callback = (length: number, buffer: Uint8Array): boolean => {
      self.onLent(length);
      lent.taken(buffer);
      return true;
    };
    const self = new LentSocket(make({ buffer: lent.next, callback }));
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
  const handle = handleOf(accepted);
  if (handle === undefined) return undefined;
  // With manualStart nothing is read before resume().
  const adopted = LentSocket.open(lent, { handle, highWaterMark, manualStart: true });
  if (Reflect.get(adopted.socket, '_handle') !== handle) return undefined;
  spend(accepted);
  return adopted;
}

/** What a socket reads from and writes to, where this Node has such a thing and it is still the socket's own. */
export function handleOf(socket: net.Socket): object | undefined {
  const handle: unknown = Reflect.get(socket, '_handle');
  return isHandle(handle) ? handle : undefined;
}

/** Without a handle destroy() only settles the server's own connection count. */
export function spend(socket: net.Socket): void {
  Reflect.set(socket, '_handle', null);
  socket.destroy();
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
