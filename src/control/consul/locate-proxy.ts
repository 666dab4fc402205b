import { type NodeName, nodeName } from '../translate/catalog.ts';
import { ConsulError } from './consul-error.ts';
import type { ConsulAnswer, ConsulAsk } from './consul-http.ts';
import { parseAgentServiceKind, parseNodeNames, parseNodeServices, parseNodesOfChecks } from './parse-catalog.ts';

/** Where a sidecar is registered, or why it is nowhere. */
export type ProxyLocation =
  | { readonly kind: 'found'; readonly node: NodeName }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'notAProxy'; readonly serviceKind: string };

const ANSWER_MS = 5_000;
/** The last resort asks node by node, this many at a time and never more nodes than this. */
const NODES_AT_A_TIME = 8;
const MAX_NODES_SCANNED = 2_000;
/** An id goes into a filter expression between quotes; what could end the quotes is no id of ours. */
const PLAIN_ID = /^[^"`\\\p{Cc}]{1,256}$/u;

/**
 * Finds the node on which a registration id lives: first the agent that answers (a sidecar beside it is the usual case),
 * then the checks of all nodes (a sidecar is registered with checks), then node by node.
 */
export async function locateProxy(
  consul: ConsulAsk,
  id: string,
  agentNode: () => Promise<string>,
  signal?: AbortSignal,
): Promise<ProxyLocation> {
  if (!PLAIN_ID.test(id)) return { kind: 'unknown' };
  const options = { deadlineMs: ANSWER_MS, signal };
  const local = await askOr404(consul, `/v1/agent/service/${encodeURIComponent(id)}`, options);
  if (local !== undefined) {
    const serviceKind = parseAgentServiceKind(local.json());
    if (serviceKind !== 'connect-proxy') return { kind: 'notAProxy', serviceKind };
    return { kind: 'found', node: nodeName(await agentNode()) };
  }
  const filter = `ServiceID == "${id}"`;
  const checks = await consul.ask('/v1/health/state/any', { filter }, options);
  for (const node of parseNodesOfChecks(checks.json(), id)) {
    if (await isOnNode(consul, node, id, signal)) return { kind: 'found', node: nodeName(node) };
  }
  return scanNodes(consul, id, signal);
}

async function scanNodes(consul: ConsulAsk, id: string, signal: AbortSignal | undefined): Promise<ProxyLocation> {
  const answer = await consul.ask('/v1/catalog/nodes', {}, { deadlineMs: ANSWER_MS, signal });
  const nodes = parseNodeNames(answer.json()).slice(0, MAX_NODES_SCANNED);
  for (let from = 0; from < nodes.length; from += NODES_AT_A_TIME) {
    const batch = nodes.slice(from, from + NODES_AT_A_TIME);
    const found = await Promise.all(batch.map((node) => isOnNode(consul, node, id, signal)));
    const node = batch[found.indexOf(true)];
    if (node !== undefined) return { kind: 'found', node: nodeName(node) };
  }
  return { kind: 'unknown' };
}

async function isOnNode(
  consul: ConsulAsk,
  node: string,
  id: string,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const path = `/v1/catalog/node-services/${encodeURIComponent(node)}`;
  const answer = await consul.ask(path, { filter: `ID == "${id}"` }, { deadlineMs: ANSWER_MS, signal });
  for (const proxy of parseNodeServices(answer.json(), undefined).proxies.keys()) if (proxy === id) return true;
  return false;
}

async function askOr404(
  consul: ConsulAsk,
  path: string,
  options: { readonly deadlineMs: number; readonly signal?: AbortSignal | undefined },
): Promise<ConsulAnswer | undefined> {
  try {
    return await consul.ask(path, {}, options);
  } catch (error) {
    if (error instanceof ConsulError && error.failure.kind === 'status' && error.failure.status === 404)
      return undefined;
    throw error;
  }
}
