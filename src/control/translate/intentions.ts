/** Who may call a service, as Consul's intentions say: plain data that `consul/` fills, and what must be said about it. */
import type { ServiceName } from './catalog.ts';
import { type Problem, warningAt } from './problem.ts';

export type IntentionAction = 'allow' | 'deny';

/** A condition on a header; exactly one of the kinds. */
export interface IntentionHeader {
  readonly name: string;
  readonly kind: 'present' | 'exact' | 'prefix' | 'suffix' | 'contains' | 'regex';
  /** Empty for `present`. */
  readonly value: string;
  readonly isInverted: boolean;
  readonly ignoresCase: boolean;
}

/** One rule of an intention that looks into requests. The first that matches decides. */
export interface IntentionPermission {
  readonly action: IntentionAction;
  readonly path: { readonly kind: 'any' | 'exact' | 'prefix' | 'regex'; readonly value: string };
  /** Empty: all. */
  readonly methods: readonly string[];
  readonly headers: readonly IntentionHeader[];
  /** It also demands a token, by providers' names. */
  readonly jwtProviders: readonly string[];
}

/** What is decided about one source, or about all (`*`). */
export interface Intention {
  readonly source: string;
  readonly sourcePeer: string;
  /** The service it is written for, or `*`. */
  readonly destination: string;
  readonly decision:
    | { readonly kind: IntentionAction }
    | { readonly kind: 'permissions'; readonly permissions: readonly IntentionPermission[] };
  readonly jwtProviders: readonly string[];
  /** Higher counts first. */
  readonly precedence: number;
  readonly modifyIndex: number;
}

/** Every intention of the mesh. */
export interface AllIntentions {
  /** By the service they are written for, or `*`. */
  readonly byDestination: ReadonlyMap<string, readonly Intention[]>;
  readonly defaultPolicy: IntentionAction | 'unknown';
}

/** Everything that decides about calls to one service. */
export interface ServiceIntentions {
  /** Strongest first: the first whose source matches decides. */
  readonly intentions: readonly Intention[];
  /** Where no intention matches. `unknown` where the agent does not say. */
  readonly defaultPolicy: IntentionAction | 'unknown';
}

/** Those written for the service and those written for all, as Consul's `/v1/connect/intentions/match` orders them. */
export function intentionsOf(service: ServiceName, all: AllIntentions): ServiceIntentions {
  const own = [...(all.byDestination.get(service) ?? []), ...(all.byDestination.get('*') ?? [])];
  return { intentions: own.sort(byPrecedence), defaultPolicy: all.defaultPolicy };
}

/** Strongest first; among equals by source and then by destination. */
function byPrecedence(a: Intention, b: Intention): number {
  if (a.precedence !== b.precedence) return b.precedence - a.precedence;
  if (a.source !== b.source) return a.source < b.source ? -1 : 1;
  return a.destination < b.destination ? -1 : a.destination > b.destination ? 1 : 0;
}

const NOT_ENFORCED =
  'it is not enforced: sidecars do not authenticate each other in this mesh (no mTLS), so nobody can tell who calls. ' +
  'Calls pass; keep them out by other means';

/** A denial that nothing enforces must never go unsaid. */
export function unenforcedIntentions(service: ServiceName, known: ServiceIntentions): readonly Problem[] {
  const problems = known.intentions
    .filter(({ decision, jwtProviders }) => decision.kind !== 'allow' || jwtProviders.length > 0)
    .map((intention) => warningAt(intentionText(intention), `${restrictionText(intention)}; ${NOT_ENFORCED}`));
  if (known.defaultPolicy !== 'deny') return problems;
  const message = `Consul's default policy denies every call that no intention allows; ${NOT_ENFORCED}`;
  return [...problems, warningAt(`intentions of ${service}`, message)];
}

/** What of the intentions of a service is decided otherwise than it is written, where they are enforced. */
export function intentionProblems(service: ServiceName, known: ServiceIntentions): readonly Problem[] {
  const problems = known.intentions.filter(needsToken).map((intention) => {
    const message = 'JWT is not verified: calls for which it demands a token are denied';
    return warningAt(intentionText(intention), message);
  });
  if (known.defaultPolicy !== 'unknown') return problems;
  const message = 'Consul does not say its default policy, so calls that no intention allows are denied';
  return [...problems, warningAt(`intentions of ${service}`, message)];
}

function needsToken({ decision, jwtProviders }: Intention): boolean {
  if (jwtProviders.length > 0) return true;
  return decision.kind === 'permissions' && decision.permissions.some((rule) => rule.jwtProviders.length > 0);
}

/** `intention web → api (ModifyIndex 42)`. */
export function intentionText({ source, sourcePeer, destination, modifyIndex }: Intention): string {
  const peer = sourcePeer === '' ? '' : ` of peer ${sourcePeer}`;
  return `intention ${source}${peer} → ${destination} (ModifyIndex ${modifyIndex})`;
}

function restrictionText({ decision }: Intention): string {
  switch (decision.kind) {
    case 'allow':
      return 'allows calls that carry a token';
    case 'deny':
      return 'denies calls';
    case 'permissions':
      return `decides by request (${decision.permissions.length} permissions)`;
  }
}
