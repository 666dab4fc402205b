import type { Json } from '../snapshot/resource-literal.ts';
import type {
  Intention,
  IntentionAction,
  IntentionHeader,
  IntentionPermission,
  ServiceIntentions,
} from './intentions.ts';
import { headerMatcherJson, methodMatcherJson } from './route-match.ts';
import { serviceUriPattern } from './spiffe.ts';

/**
 * Intentions as envoy.config.rbac.v3.RBAC. Intentions are a list in which the first match decides; RBAC is a set of policies of
 * which any may match, all allowing or all denying. So each rule that differs from the default becomes a policy of its own,
 * which leaves out whom a stronger rule has decided about.
 */
export interface RuleScope {
  readonly trustDomain: string;
  /** Requests can be looked into. */
  readonly isHttp: boolean;
}

/** Nobody is let in where intentions cannot be read: an error is no permission. */
export function intentionRulesJson(known: ServiceIntentions | undefined, scope: RuleScope): Json {
  if (known === undefined) return { action: 'ALLOW' };
  // An agent that does not say its default policy is taken for one that denies.
  const byDefault: IntentionAction = known.defaultPolicy === 'allow' ? 'allow' : 'deny';
  const policies = distinctSources(known.intentions).flatMap(({ intention, notSources }) => {
    const permissions = permissionsJson(intention, byDefault, scope.isHttp);
    if (permissions.length === 0) return [];
    const principals = [principalJson(intention, notSources, byDefault, scope.trustDomain)];
    return [[policyName(intention), { permissions, principals }] as const];
  });
  return {
    action: byDefault === 'allow' ? 'DENY' : 'ALLOW',
    ...(policies.length === 0 ? {} : { policies: Object.fromEntries(policies) }),
  };
}

interface DistinctSource {
  readonly intention: Intention;
  /** Sources that a stronger intention has decided about. */
  readonly notSources: readonly string[];
}

/** Of each source the strongest intention; behind one for all sources, none has a say. Sources of peers never get this far. */
function distinctSources(intentions: readonly Intention[]): readonly DistinctSource[] {
  const bySource = new Map<string, Intention>();
  for (const intention of intentions) {
    if (intention.sourcePeer !== '') continue;
    if (!bySource.has(intention.source)) bySource.set(intention.source, intention);
    if (intention.source === '*') break;
  }
  return [...bySource.values()].map((intention) => ({
    intention,
    notSources: intention.source === '*' ? [...bySource.keys()].filter((source) => source !== '*') : [],
  }));
}

function policyName({ source, destination }: Intention): string {
  return `intention:${source}->${destination}`;
}

/** All services means everybody where it is denied, and those with a service's identity where it is allowed. */
function principalJson(
  { source }: Intention,
  notSources: readonly string[],
  byDefault: IntentionAction,
  trustDomain: string,
): Json {
  const named = (service: string): Json => ({
    authenticated: { principalName: { safeRegex: { regex: serviceUriPattern(trustDomain, service) } } },
  });
  const own: Json = source === '*' && byDefault === 'allow' ? { any: true } : named(source);
  if (notSources.length === 0) return own;
  return { andIds: { ids: [own, ...notSources.map((other) => ({ notId: named(other) }))] } };
}

/** What of this intention is decided otherwise than by default; empty where nothing is. */
function permissionsJson(intention: Intention, byDefault: IntentionAction, isHttp: boolean): readonly Json[] {
  const { decision, jwtProviders } = intention;
  if (decision.kind !== 'permissions') {
    return withToken(decision.kind, jwtProviders) === byDefault ? [] : [{ any: true }];
  }
  // As Consul: who is to be judged by requests is not let in where there are none.
  if (!isHttp) return byDefault === 'deny' ? [] : [{ any: true }];
  const before: Json[] = [];
  return decision.permissions.flatMap((permission) => {
    const own = permissionJson(permission);
    const exclusions = before.map((rule) => ({ notRule: rule }));
    before.push(own);
    const action = withToken(permission.action, [...jwtProviders, ...permission.jwtProviders]);
    if (action === byDefault) return [];
    return [exclusions.length === 0 ? own : { andRules: { rules: [own, ...exclusions] } }];
  });
}

/** A call that needs a token which nobody verifies here is not let in. */
function withToken(action: IntentionAction, providers: readonly string[]): IntentionAction {
  return providers.length === 0 ? action : 'deny';
}

function permissionJson({ path, methods, headers }: IntentionPermission): Json {
  const rules: Json[] = headers.map((header) => ({ header: headerMatcherJson(headerMatch(header)) }));
  if (path.kind !== 'any') {
    rules.unshift({ urlPath: { path: path.kind === 'regex' ? regexJson(path.value) : { [path.kind]: path.value } } });
  }
  if (methods.length > 0) rules.push({ header: methodMatcherJson(methods) });
  const [only] = rules;
  if (only === undefined) return { any: true };
  return rules.length === 1 ? only : { andRules: { rules } };
}

function headerMatch({
  name,
  kind,
  value,
  isInverted,
  ignoresCase,
}: IntentionHeader): Parameters<typeof headerMatcherJson>[0] {
  const match = kind === 'present' ? { kind } : { kind, value };
  return { name, match, invert: isInverted, ignoreCase: ignoresCase };
}

function regexJson(regex: string): Json {
  return { safeRegex: { regex } };
}
