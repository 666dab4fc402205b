import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';

const LOOPBACK = '127.0.0.1';

/**
 * Ports that were free a moment ago, all different: for programs that cannot be told to listen on port 0 and say
 * which one they got. Another program may take one first: see `retryOnPortClash`.
 */
export async function pickFreePorts<const Names extends readonly string[]>(
  ...names: Names
): Promise<Record<Names[number], number>> {
  const servers = names.map(() => createServer());
  await Promise.all(servers.map((server) => once(server.listen(0, LOOPBACK), 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return Object.fromEntries(names.map((name, index) => [name, ports[index]])) as Record<Names[number], number>;
}

const ATTEMPTS = 3;

/** Runs a starter that picks its ports afresh again when the program found one of them taken. */
export async function retryOnPortClash<Started>(start: () => Promise<Started>): Promise<Started> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await start();
    } catch (error) {
      if (attempt === ATTEMPTS || !/address already in use/i.test(String(error))) throw error;
    }
  }
}
