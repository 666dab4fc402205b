import type { ConsulAccess } from './consul-access.ts';
import { ConsulHttp } from './consul-http.ts';
import { parseNodeNames } from './parse-catalog.ts';

const DEADLINE_MS = 30_000;
/** Nodes asked for at once. */
const CONCURRENCY = 16;
const MAX_NODES = 10_000;

/** Config entries of these kinds and every node's services, asked once. Rejects with a ConsulError that says what to do. */
export async function readEverything(
  access: ConsulAccess,
  kinds: readonly string[],
): Promise<{ readonly entries: readonly unknown[]; readonly nodes: readonly unknown[] }> {
  const http = new ConsulHttp({ ...access, maxConnections: CONCURRENCY });
  const ask = async (path: string): Promise<unknown> => (await http.ask(path, {}, { deadlineMs: DEADLINE_MS })).json();
  try {
    const lists = await Promise.all(kinds.map((kind) => ask(`/v1/config/${kind}`)));
    const names = parseNodeNames(await ask('/v1/catalog/nodes'));
    if (names.length > MAX_NODES) throw new Error(`${names.length} nodes; ${MAX_NODES} at most are looked at`);
    const nodes = await Promise.all(names.map((name) => ask(`/v1/catalog/node-services/${encodeURIComponent(name)}`)));
    return { entries: lists.flatMap((list) => (Array.isArray(list) ? (list as readonly unknown[]) : [])), nodes };
  } finally {
    await http.close();
  }
}
