import { createServer, type Server } from 'node:net';

/** Below the range the kernel gives to outgoing connections, one of which could otherwise sit on a port before its program binds it. */
const LOWEST_PORT = 11_000;
const PORT_COUNT = 10_000;

let next = Math.floor(Math.random() * PORT_COUNT);

/** A port of 127.0.0.1 that nobody listens on, never the same one twice in this process: for programs that must be told theirs. */
export async function freePort(): Promise<number> {
  for (let step = 0; step < PORT_COUNT; step++) {
    const port = LOWEST_PORT + (next % PORT_COUNT);
    next++;
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port from ${LOWEST_PORT} on`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server: Server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
