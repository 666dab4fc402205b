import type { Socket } from 'node:net';
import { type Http2ClientConnection, Http2Output, type Http2ServerConnection } from '../../../src/http/http2/http2.ts';

/** Ties one end of a codec to a socket, with one write per turn. The plain way to do it: what the sidecar does faster. */
export class SocketDriver {
  readonly output: Http2Output = new Http2Output(() => {
    setImmediate(() => this.flush());
  });
  readonly #socket: Socket;
  #connection: Http2ServerConnection | Http2ClientConnection | undefined = undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (bytes: Buffer) => this.#connection?.receive(bytes, 0, bytes.length, performance.now()));
    socket.on('drain', () => this.#connection?.onSocketDrained());
    socket.on('error', () => {});
    socket.on('close', () => this.#connection?.lost());
  }

  drive(connection: Http2ServerConnection | Http2ClientConnection): void {
    this.#connection = connection;
  }

  flush(): void {
    const { output } = this;
    if (output.length === 0 || this.#socket.destroyed) return;
    const isTaken = this.#socket.write(Buffer.from(output.bytes.subarray(0, output.length)));
    this.#connection?.outputTaken(!isTaken);
  }

  /** Sends what there is, then closes. */
  finish(): void {
    this.flush();
    this.#socket.end();
  }
}
