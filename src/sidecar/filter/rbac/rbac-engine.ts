import type { Permission, Principal, Rbac } from '../../../resource/rbac.ts';
import { compileStringMatcher } from '../../route/route.ts';
import type { FieldSource } from '../effective-fields.ts';
import { compileAddressRule } from './address-rule.ts';
import { compileFieldRule } from './field-rule.ts';
import { compileIdentityRule } from './identity-rule.ts';
import { compileMetadataRule } from './metadata-rule.ts';
import { compilePathRule } from './path-rule.ts';
import type { RbacSubject } from './rbac-subject.ts';
import { guarded, MAYBE, NO, not, type Verdict, verdictOf, YES } from './verdict.ts';

type Rule = (subject: RbacSubject) => Verdict;

interface CompiledPolicy {
  readonly name: string;
  readonly permission: Rule;
  readonly principal: Rule;
}

/** An RBAC policy set compiled once, for connections and requests alike. */
export class RbacEngine {
  readonly action: Rbac['action'];
  readonly #policies: readonly CompiledPolicy[];
  /** What a policy must reach to match: an ALLOW one certainty, the others a possibility. */
  readonly #threshold: Verdict;

  constructor(rbac: Rbac) {
    this.action = rbac.action;
    this.#threshold = rbac.action === 'allow' ? YES : MAYBE;
    this.#policies = [...rbac.policies].map(([name, { permissions, principals }]) => ({
      name,
      permission: any(permissions.map(compilePermission)),
      principal: any(principals.map(compilePrincipal)),
    }));
  }

  /** The name of the first policy that matches, in the order of names. */
  matchedPolicy(subject: RbacSubject): string | undefined {
    const threshold = this.#threshold;
    for (const { name, permission, principal } of this.#policies) {
      // Who it is costs less to find out than what it asks for.
      if (principal(subject) >= threshold && permission(subject) >= threshold) return name;
    }
    return undefined;
  }

  /** Whether the answer to that opens the door. LOG opens it always. */
  allows(matchedPolicy: string | undefined): boolean {
    if (this.action === 'log') return true;
    return (matchedPolicy !== undefined) === (this.action === 'allow');
  }
}

/** As Envoy's response_code_details name it; spaces would break access log fields. */
export function denialDetails(matchedPolicy: string | undefined): string {
  return `rbac_access_denied_matched_policy[${(matchedPolicy ?? 'none').replaceAll(/\s/g, '_')}]`;
}

function compilePermission(permission: Permission): Rule {
  switch (permission.kind) {
    case 'any':
      return () => YES;
    case 'and':
      return all(permission.rules.map(compilePermission));
    case 'or':
      return any(permission.rules.map(compilePermission));
    case 'not': {
      const rule = compilePermission(permission.rule);
      return (subject) => not(rule(subject));
    }
    case 'header':
      return ofRequest(compileFieldRule(permission.matcher));
    case 'urlPath':
      return ofRequest(compilePathRule(permission.matcher));
    case 'metadata':
      return compileMetadataRule(permission.matcher);
    case 'destinationIp': {
      const rule = compileAddressRule(permission.range);
      return (subject) => rule(subject.destinationAddress);
    }
    case 'destinationPort': {
      const { port } = permission;
      return (subject) => verdictOf(subject.destinationPort === port);
    }
    case 'destinationPortRange': {
      const { start, end } = permission;
      return ({ destinationPort }) => verdictOf(destinationPort >= start && destinationPort < end);
    }
    case 'requestedServerName': {
      const accepts = guarded(compileStringMatcher(permission.matcher));
      return (subject) => accepts(subject.serverName);
    }
  }
}

function compilePrincipal(principal: Principal): Rule {
  switch (principal.kind) {
    case 'any':
      return () => YES;
    case 'and':
      return all(principal.ids.map(compilePrincipal));
    case 'or':
      return any(principal.ids.map(compilePrincipal));
    case 'not': {
      const rule = compilePrincipal(principal.id);
      return (subject) => not(rule(subject));
    }
    case 'authenticated':
      return compileIdentityRule(principal.principalName);
    case 'directRemoteIp': {
      const rule = compileAddressRule(principal.range);
      return (subject) => rule(subject.directRemoteAddress);
    }
    case 'remoteIp': {
      const rule = compileAddressRule(principal.range);
      return (subject) => rule(subject.remoteAddress);
    }
    case 'header':
      return ofRequest(compileFieldRule(principal.matcher));
    case 'urlPath':
      return ofRequest(compilePathRule(principal.matcher));
    case 'metadata':
      return compileMetadataRule(principal.matcher);
  }
}

/** On a connection alone, a rule about requests decides nothing. */
function ofRequest(rule: (source: FieldSource) => Verdict): Rule {
  return ({ request }) => (request === undefined ? MAYBE : rule(request));
}

function all(rules: readonly Rule[]): Rule {
  return (subject) => {
    let verdict: Verdict = YES;
    for (const rule of rules) {
      const own = rule(subject);
      if (own === NO) return NO;
      if (own < verdict) verdict = own;
    }
    return verdict;
  };
}

/** Of no rules at all: nobody. */
function any(rules: readonly Rule[]): Rule {
  return (subject) => {
    let verdict: Verdict = NO;
    for (const rule of rules) {
      const own = rule(subject);
      if (own === YES) return YES;
      if (own > verdict) verdict = own;
    }
    return verdict;
  };
}
