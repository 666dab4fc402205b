import net from 'node:net';

/** Called with the number of bytes now in the shared buffer. They are gone when it returns. */
export type LentRead = (length: number, buffer: Uint8Array) => boolean;

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
  buffer: Buffer,
  highWaterMark: number,
  callback: LentRead,
): net.Socket | undefined {
  const handle: unknown = Reflect.get(accepted, '_handle');
  if (!isHandle(handle)) return undefined;
  const onread = { buffer, callback };
  const options: net.SocketConstructorOpts = { allowHalfOpen: true, onread };
  // Options that net.Socket takes and its types do not name; with manualStart nothing is read before resume().
  const adopted = new net.Socket(Object.assign(options, { handle, highWaterMark, manualStart: true }));
  if (Reflect.get(adopted, '_handle') !== handle) return undefined;
  // Without a handle destroy() only settles the server's own connection count.
  Reflect.set(accepted, '_handle', null);
  accepted.destroy();
  return adopted;
}

function isHandle(candidate: unknown): candidate is Handle {
  return (
    typeof candidate === 'object' &&
    candidate !== null &&
    typeof Reflect.get(candidate, 'readStart') === 'function' &&
    typeof Reflect.get(candidate, 'readStop') === 'function'
  );
}
