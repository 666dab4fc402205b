import type { JwtAuthnConfig, JwtRequirement } from '../../../resource/jwt-authn.ts';
import { compileRouteMatch } from '../../route/route.ts';
import type { FilterStream } from '../filter-stream.ts';
import { plainPath } from '../rbac/path-rule.ts';

/** What a request must show; undefined where that cannot be said, and it must not pass. */
export type RuleFinder = (stream: FilterStream) => JwtRequirement | undefined;

const NONE: JwtRequirement = { kind: 'none' };

/**
 * The first rule that fits. A path that another server may spell otherwise must meet the rule of its plainest spelling too,
 * so that no spelling gets around a requirement.
 */
export function compileRules(rules: JwtAuthnConfig['rules']): RuleFinder {
  const compiled = rules.map(({ match, requirement }) => ({ matches: compileRouteMatch(match), requirement }));
  const find = ({ head }: FilterStream, path: string): JwtRequirement =>
    compiled.find(({ matches }) => matches(head, path))?.requirement ?? NONE;
  return (stream) => {
    const path = pathOnly(stream.head.path);
    const plain = plainPath(path);
    const own = find(stream, path);
    if (plain === path) return own;
    const other = find(stream, plain);
    if (other === own || other.kind === 'none') return own;
    return own.kind === 'none' ? other : { kind: 'all', requirements: [own, other] };
  };
}

function pathOnly(target: string): string {
  const end = target.search(/[?#]/);
  return end < 0 ? target : target.slice(0, end);
}
