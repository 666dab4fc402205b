/**
 * Free TCP ports on 127.0.0.1 for programs that must be told theirs beforehand. They are taken from below the range the kernel gives
 * to outgoing connections, or one of those could sit on a port before its program binds it.
 */
import { createServer, type Server } from 'node:net';
import { type Random, systemRandom } from '../base/random.ts';

const LOWEST_PORT = 22_000;
const HIGHEST_PORT = 31_999;

/** That many ports, all different: held together until the last is known, then let go. */
export async function freePorts(count: number, random: Random = systemRandom): Promise<number[]> {
  const size = HIGHEST_PORT - LOWEST_PORT + 1;
  const first = Math.floor(random.next() * size);
  const held: { readonly port: number; readonly server: Server }[] = [];
  try {
    for (let step = 0; held.length < count; step += 1) {
      if (step >= size)
        throw new Error(`no ${count} free ports between ${LOWEST_PORT} and ${HIGHEST_PORT} on 127.0.0.1`);
      const port = LOWEST_PORT + ((first + step) % size);
      const server = await hold(port);
      if (server !== undefined) held.push({ port, server });
    }
    return held.map(({ port }) => port);
  } finally {
    await Promise.all(held.map(({ server }) => release(server)));
  }
}

/** The preferred port where nobody has it, otherwise any free one. */
export async function portNear(preferred: number): Promise<number> {
  const server = await hold(preferred);
  if (server === undefined) {
    const [port] = await freePorts(1);
    return port ?? preferred;
  }
  await release(server);
  return preferred;
}

/** Undefined where somebody has it. */
function hold(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

function release(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}
