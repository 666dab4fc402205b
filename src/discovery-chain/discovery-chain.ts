/**
 * Consul's discovery chain, compiled from config entries: the graph that a request for a service passes through.
 *
 *   router ──each route──▶ splitter ──each split──▶ resolver ──▶ target, and others to turn to when it fails
 *      └────────────────────────────▶ resolver
 *
 * Pure, and the same for whoever answers for Consul (registry) and whoever makes proxies' resources of it (control). This room
 * knows names, weights, subsets and redirects; it does not know what a route matches, what a subset selects, where entries
 * come from, or any proxy.
 */
import { ChainCompiler } from './chain-compiler.ts';
import type { ChainEntries } from './chain-entries.ts';
import type { ChainRequest } from './chain-request.ts';
import type { CompiledChain } from './compiled-chain.ts';
import { withFlatSplitters } from './flat-splitters.ts';

export type {
  ChainEntries,
  ChainFailover,
  ChainResolver,
  ChainRouterRoute,
  ChainSplitterSplit,
  MeshSettings,
  ServiceSettings,
  TargetChange,
} from './chain-entries.ts';
export { ChainFault, type EntryName } from './chain-fault.ts';
export { type ChainOverrides, type ChainRequest, NO_OVERRIDES } from './chain-request.ts';
export type { ChainNode, ChainTarget, CompiledChain, CompiledSplit, ResolverNode } from './compiled-chain.ts';
export { isHttpLike } from './protocol.ts';
export { normalWeight, scaledWeight } from './split-weight.ts';

/** Throws a ChainFault where the entries contradict each other. */
export function compileChain<Route, Split, Balancer>(
  request: ChainRequest,
  entries: ChainEntries<Route, Split, Balancer>,
): CompiledChain<Route, Split, Balancer> {
  const compiler = new ChainCompiler(request, entries);
  const startNode = compiler.assemble();
  const nodes = withFlatSplitters(startNode, compiler.nodes, (outer, inner) => entries.mergeSplits(outer, inner));
  return compiler.finish(startNode, nodes);
}
