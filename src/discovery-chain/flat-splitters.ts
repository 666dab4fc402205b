import { ChainFault } from './chain-fault.ts';
import { type ChainNode, type CompiledSplit, nodeKey, type SplitterNode } from './compiled-chain.ts';
import { nestedWeight } from './split-weight.ts';

type Nodes<R, S, B> = ReadonlyMap<string, ChainNode<R, S, B>>;

/** A splitter's nested splits double with every level; no proxy wants more weighted clusters than this in one route. */
const MAX_SPLITS = 1_024;

/** The same graph without a splitter behind a splitter, and without the nodes that nothing leads to any more. */
export function withFlatSplitters<R, S, B>(
  startNode: string,
  nodes: Nodes<R, S, B>,
  merge: (outer: S, inner: S) => S,
): Nodes<R, S, B> {
  refuseCircles(startNode, nodes);
  const flat = new Map<string, ChainNode<R, S, B>>();
  const flatten = (node: SplitterNode<S, B>): SplitterNode<S, B> => {
    const key = nodeKey('splitter', node.name);
    const done = flat.get(key);
    if (done?.type === 'splitter') return done;
    const splits = node.splits.flatMap((split): readonly CompiledSplit<S>[] => {
      const next = nodes.get(split.nextNode);
      if (next?.type !== 'splitter') return [split];
      return flatten(next).splits.map((inner) => ({
        weight: nestedWeight(split.weight, inner.weight),
        definition: merge(split.definition, inner.definition),
        nextNode: inner.nextNode,
      }));
    });
    if (splits.length > MAX_SPLITS) {
      const entry = { kind: 'service-splitter' as const, name: serviceOf(node.name) };
      throw new ChainFault(entry, `${splits.length} splits once nested splitters are laid flat; ${MAX_SPLITS} at most`);
    }
    const flattened = { ...node, splits };
    flat.set(key, flattened);
    return flattened;
  };
  for (const [key, node] of nodes) flat.set(key, node.type === 'splitter' ? flatten(node) : node);
  return reachable(startNode, flat);
}

/** Splitters are the only nodes that can lead back to themselves: a resolver's redirects are followed when it is made. */
function refuseCircles<R, S, B>(startNode: string, nodes: Nodes<R, S, B>): void {
  const sound = new Set<string>();
  const visit = (key: string, path: readonly string[]): void => {
    const node = nodes.get(key);
    if (node === undefined || sound.has(key)) return;
    if (path.includes(key)) {
      const entry = { kind: 'service-splitter' as const, name: serviceOf(node.name) };
      throw new ChainFault(entry, `detected circular reference: [${[...path, key].join(' -> ')}]`);
    }
    for (const next of nextNodes(node)) visit(next, [...path, key]);
    sound.add(key);
  };
  visit(startNode, []);
}

function reachable<R, S, B>(startNode: string, nodes: Nodes<R, S, B>): Nodes<R, S, B> {
  const reached = new Map<string, ChainNode<R, S, B>>();
  const waiting = [startNode];
  for (let key = waiting.pop(); key !== undefined; key = waiting.pop()) {
    const node = nodes.get(key);
    if (node === undefined || reached.has(key)) continue;
    reached.set(key, node);
    waiting.push(...nextNodes(node));
  }
  return reached;
}

function nextNodes<R, S, B>(node: ChainNode<R, S, B>): readonly string[] {
  if (node.type === 'router') return node.routes.map(({ nextNode }) => nextNode);
  return node.type === 'splitter' ? node.splits.map(({ nextNode }) => nextNode) : [];
}

/** `web` of `web.default.default`; a service's name may hold dots itself. */
function serviceOf(nodeName: string): string {
  return nodeName.slice(0, -'.default.default'.length);
}
