import { isPlainObject } from '../../resource/struct-json.ts';

/** Whose node id one of some envoy.type.matcher.v3.NodeMatcher names; without any matcher, everybody's. */
export type NodeIdMatcher =
  | { readonly ok: true; readonly matches: (nodeId: string) => boolean }
  | { readonly ok: false; readonly message: string };

type Test = (nodeId: string) => boolean;

const COMPARISONS: Readonly<Record<string, (nodeId: string, wanted: string) => boolean>> = {
  exact: (nodeId, wanted) => nodeId === wanted,
  prefix: (nodeId, wanted) => nodeId.startsWith(wanted),
  suffix: (nodeId, wanted) => nodeId.endsWith(wanted),
  contains: (nodeId, wanted) => nodeId.includes(wanted),
};

/** Reads the decoded field `node_matchers`. */
export function nodeIdMatcher(matchers: unknown): NodeIdMatcher {
  const tests: Test[] = [];
  for (const [index, matcher] of (Array.isArray(matchers) ? matchers : []).entries()) {
    const test = isPlainObject(matcher) ? testOf(matcher) : undefined;
    if (test === undefined) {
      const message = `node_matchers[${index}]: only node_id by exact, prefix, suffix or contains is understood`;
      return { ok: false, message };
    }
    tests.push(test);
  }
  return { ok: true, matches: (nodeId) => tests.length === 0 || tests.some((test) => test(nodeId)) };
}

function testOf(matcher: Readonly<Record<string, unknown>>): Test | undefined {
  const { node_id: nodeId, node_metadatas: metadatas } = matcher;
  if (!isPlainObject(nodeId) || (Array.isArray(metadatas) && metadatas.length > 0)) return undefined;
  const ignoresCase = nodeId['ignore_case'] === true;
  for (const [kind, compare] of Object.entries(COMPARISONS)) {
    const wanted = nodeId[kind];
    if (typeof wanted !== 'string') continue;
    if (!ignoresCase) return (id) => compare(id, wanted);
    return (id) => compare(id.toLowerCase(), wanted.toLowerCase());
  }
  return undefined;
}
