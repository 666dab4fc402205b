import type { FilterChainMatch } from '../../resource/listener.ts';
import { type ConnectionFacts, CRITERIA, type Score } from './filter-chain-criteria.ts';

/** One criterion that at least one chain asks about: how each chain scores by it, undefined where that chain does not ask. */
type Step<T> = ReadonlyMap<T, Score | undefined>;

/**
 * Chooses among filter chains as Envoy does: criterion after criterion, in a fixed order, those that match it most
 * specifically go on to the next. There is no way back: where only one chain names a port, connections to that port end
 * there, whatever its other criteria say. What no chain asks about is not looked at.
 */
export class FilterChainSelector<T extends { readonly match: FilterChainMatch }> {
  readonly #chains: readonly T[];
  readonly #steps: readonly Step<T>[];

  constructor(chains: readonly T[]) {
    this.#chains = chains;
    const steps = CRITERIA.map((criterion) => new Map(chains.map((chain) => [chain, criterion(chain.match)])));
    this.#steps = steps.filter((step) => [...step.values()].some((score) => score !== undefined));
  }

  /** The chain for a connection; undefined where none matches. */
  select(facts: ConnectionFacts): T | undefined {
    let left = this.#chains;
    for (const step of this.#steps) left = mostSpecific(left, step, facts);
    return left[0];
  }
}

/** Whether a match can only be decided by what a client says first. */
export function needsTlsInspector({ match }: { readonly match: FilterChainMatch }): boolean {
  if (match.transportProtocol === 'tls') return true;
  return match.transportProtocol === '' && (match.serverNames.length > 0 || match.applicationProtocols.length > 0);
}

function mostSpecific<T>(chains: readonly T[], step: Step<T>, facts: ConnectionFacts): readonly T[] {
  let best = 0;
  let left: T[] = [];
  for (const chain of chains) {
    const own = step.get(chain)?.(facts) ?? 0;
    if (own > best) {
      best = own;
      left = [chain];
    } else if (own === best) left.push(chain);
  }
  return left;
}
