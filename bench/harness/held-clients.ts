import net from 'node:net';

/** Connections held open in this process, each after it sent its bytes. */
export class HeldClients {
  readonly #sockets: net.Socket[] = [];
  /** Connections that were refused or closed by the proxy. */
  lost = 0;

  get count(): number {
    return this.#sockets.length;
  }

  /** Opens so many more, some hundreds at a time. `isReading` false: nothing of the answer is ever read. */
  async open(port: number, count: number, bytes: (index: number) => string, isReading: boolean): Promise<void> {
    for (let opened = 0; opened < count; opened += BATCH) {
      const batch = Math.min(BATCH, count - opened);
      await Promise.all(Array.from({ length: batch }, (_, at) => this.#connect(port, bytes(opened + at), isReading)));
    }
  }

  /** One more byte from each, so that none of them is merely idle. */
  drip(byte: string): void {
    for (const socket of this.#sockets) socket.write(byte, 'latin1');
  }

  close(): void {
    for (const socket of this.#sockets.splice(0)) {
      socket.removeAllListeners('close');
      socket.destroy();
    }
  }

  #connect(port: number, bytes: string, isReading: boolean): Promise<void> {
    return new Promise((resolve) => {
      const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
      this.#sockets.push(socket);
      if (isReading) socket.on('data', () => undefined);
      else socket.pause();
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.lost++;
        resolve();
      });
      socket.on('connect', () => socket.write(bytes, 'latin1', () => resolve()));
    });
  }
}

const BATCH = 250;

/** One request after the other over one connection: how long each took, in milliseconds, sorted. */
export async function requestTimes(port: number, count: number): Promise<readonly number[]> {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
  const times: number[] = [];
  try {
    for (let index = 0; index < count; index++) {
      const startedAt = performance.now();
      const answered = new Promise<void>((resolve, reject) => {
        socket.once('data', () => resolve());
        socket.once('error', reject);
      });
      socket.write('GET /small HTTP/1.1\r\nhost: bench\r\n\r\n', 'latin1');
      await answered;
      socket.removeAllListeners('error');
      times.push(performance.now() - startedAt);
    }
  } finally {
    socket.destroy();
  }
  return times.sort((a, b) => a - b);
}
