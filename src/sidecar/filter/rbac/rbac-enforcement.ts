import type { RbacFilterConfig } from '../../../resource/filter-config.ts';
import type { Counter, MetricScope, MetricsRegistry } from '../../../telemetry/metrics/metrics.ts';
import { denialDetails, RbacEngine } from './rbac-engine.ts';
import type { RbacSubject } from './rbac-subject.ts';

/** What an RBAC filter counts, with Envoy's names. */
class RbacCounters {
  readonly allowed: Counter;
  readonly denied: Counter;
  readonly logged: Counter;
  readonly notLogged: Counter;
  readonly shadowAllowed: Counter;
  readonly shadowDenied: Counter;

  constructor(metrics: MetricsRegistry, scope: MetricScope, config: RbacFilterConfig) {
    const rules = `rbac.${prefixed(config.rulesStatPrefix)}`;
    const shadow = `rbac.${prefixed(config.shadowRulesStatPrefix)}`;
    this.allowed = metrics.counter(scope, `${rules}allowed`);
    this.denied = metrics.counter(scope, `${rules}denied`);
    this.logged = metrics.counter(scope, `${rules}logged`);
    this.notLogged = metrics.counter(scope, `${rules}not_logged`);
    this.shadowAllowed = metrics.counter(scope, `${shadow}shadow_allowed`);
    this.shadowDenied = metrics.counter(scope, `${shadow}shadow_denied`);
  }
}

function prefixed(statPrefix: string): string {
  return statPrefix === '' || statPrefix.endsWith('.') ? statPrefix : `${statPrefix}.`;
}

/** Rules that are enforced and rules that are only tried, with what they count. */
export class RbacEnforcement {
  readonly #rules: RbacEngine | undefined;
  readonly #shadowRules: RbacEngine | undefined;
  readonly #counters: RbacCounters;

  constructor(config: RbacFilterConfig, metrics: MetricsRegistry, scope: MetricScope) {
    this.#rules = config.rules && new RbacEngine(config.rules);
    this.#shadowRules = config.shadowRules && new RbacEngine(config.shadowRules);
    this.#counters = new RbacCounters(metrics, scope, config);
  }

  /** Envoy's details of the refusal, or undefined where the door is open. */
  refusal(subject: RbacSubject): string | undefined {
    this.#tryShadowRules(subject);
    const rules = this.#rules;
    if (rules === undefined) return undefined;
    const matched = rules.matchedPolicy(subject);
    const counters = this.#counters;
    if (rules.action === 'log') (matched === undefined ? counters.notLogged : counters.logged).increment();
    if (rules.allows(matched)) {
      counters.allowed.increment();
      return undefined;
    }
    counters.denied.increment();
    return denialDetails(matched);
  }

  #tryShadowRules(subject: RbacSubject): void {
    const rules = this.#shadowRules;
    if (rules === undefined) return;
    const { shadowAllowed, shadowDenied } = this.#counters;
    (rules.allows(rules.matchedPolicy(subject)) ? shadowAllowed : shadowDenied).increment();
  }
}
