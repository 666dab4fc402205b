import net from 'node:net';

/** An HTTP/1.1 origin in this process that answers by path, and says what its connections are doing. */
export interface Origin {
  readonly port: number;
  /** Bytes of answers that the proxy has not taken; 0 where nobody is behind. */
  unsentBytes(): number;
  /** Bytes handed to the kernel so far. */
  sentBytes(): number;
  connectionCount(): number;
  stop(): Promise<void>;
}

const SMALL = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
const PIECE = Buffer.alloc(65_536, 'x');

/** `GET /bytes/N` answers with N bytes as fast as they are taken; everything else at once with two. */
export async function startOrigin(): Promise<Origin> {
  const sockets = new Set<net.Socket>();
  let sentBefore = 0;
  const server = net.createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      sentBefore += socket.bytesWritten;
      sockets.delete(socket);
    });
    socket.on('data', (bytes: Buffer) => answer(socket, bytes.toString('latin1')));
  });
  await new Promise<void>((resolve) => server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    unsentBytes: () => [...sockets].reduce((sum, socket) => sum + socket.writableLength, 0),
    sentBytes: () =>
      [...sockets].reduce((sum, socket) => sum + socket.bytesWritten - socket.writableLength, sentBefore),
    connectionCount: () => sockets.size,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** Good enough for clients that send one head in one piece, or a body that never ends. */
function answer(socket: net.Socket, text: string): void {
  const size = /^GET \/bytes\/(\d+) /.exec(text)?.[1];
  if (size !== undefined) pour(socket, Number(size));
  else if (text.startsWith('GET ')) socket.write(SMALL, 'latin1');
}

function pour(socket: net.Socket, size: number): void {
  let left = size;
  const more = (): void => {
    while (left > 0 && !socket.destroyed) {
      const piece = left >= PIECE.length ? PIECE : PIECE.subarray(0, left);
      left -= piece.length;
      if (!socket.write(piece)) return;
    }
    socket.off('drain', more);
  };
  socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${size}\r\n\r\n`, 'latin1');
  socket.on('drain', more);
  more();
}
