import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { closeAfterQueue } from './accept-queue.ts';

const CLIENTS = 40;

describe('closing a listening socket', () => {
  it('takes every connection that the kernel has completed first', async () => {
    const server = net.createServer((socket) => socket.end('served'));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const closed = new Promise<void>((resolve) => {
      // All of them are queued by now, and one has been accepted.
      server.once('connection', () => closeAfterQueue(server, resolve));
    });
    const answers = await Promise.all(Array.from({ length: CLIENTS }, () => answerOf(port)));
    expect(new Set(answers)).toEqual(new Set(['served']));
    await closed;
    expect(await answerOf(port)).toBe('ECONNREFUSED');
  });

  it('needs no connection to come to its end', async () => {
    const server = net.createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    await new Promise<void>((resolve) => closeAfterQueue(server, resolve));
    expect(server.listening).toBe(false);
  });
});

/** What the server said, or the error. */
function answerOf(port: number): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = net.connect(port, '127.0.0.1');
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.on('end', () => resolve(text));
  });
}
