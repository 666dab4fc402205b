import { createHash } from 'node:crypto';
import { originText, type ProxyRegistration, type Upstream } from './catalog.ts';
import type { ConfigEntries, ServiceResolver } from './config-entries.ts';
import type { WordOf } from './extension-keys.ts';
import { OptionReader } from './option-reader.ts';
import type { Problem } from './problem.ts';
import { PROTOCOLS, type Protocol, protocolOfService } from './protocol.ts';
import { numberKey, wordKey } from './read-extension-key.ts';

/** What is said about one upstream of one sidecar. Undefined: not said, and the chain or the default decides. */
export interface UpstreamOptions {
  readonly protocol: Protocol | undefined;
  readonly connectTimeoutMs: number | undefined;
  readonly limits: UpstreamLimits | undefined;
  readonly passiveHealthCheck: PassiveHealthCheck | undefined;
  readonly balanceOutboundConnections: 'exact_balance' | undefined;
  /** `weft_num_retries`; 0 switches retrying off. */
  readonly numRetries: number | undefined;
  /** `weft_retry_budget_percent`: retries as a share of the requests in flight. */
  readonly retryBudgetPercent: number | undefined;
  /** `weft_lb_policy`: where the resolver names none. */
  readonly loadBalancingPolicy: WeftLoadBalancingPolicy | undefined;
  /** `weft_slow_start_ms`: how long a new endpoint takes to its full share. */
  readonly slowStartMs: number | undefined;
  /** Set where this upstream's clusters differ from those other upstreams of the same proxy have: it sets their names apart. */
  readonly customization: string;
}

export interface UpstreamLimits {
  readonly maxConnections: number | undefined;
  readonly maxPendingRequests: number | undefined;
  readonly maxConcurrentRequests: number | undefined;
}

export interface PassiveHealthCheck {
  readonly intervalMs: number | undefined;
  readonly maxFailures: number | undefined;
  readonly enforcingConsecutive5xx: number | undefined;
  readonly maxEjectionPercent: number | undefined;
  readonly baseEjectionTimeMs: number | undefined;
}

export type WeftLoadBalancingPolicy = WordOf<'weft_lb_policy'>;

type OwnOptions = Omit<UpstreamOptions, 'customization'>;

const DAY_MS = 86_400_000;
const MAX_LIMIT = 10_000_000;
/** Options that its clusters do not show. */
const OF_THE_LISTENER: ReadonlySet<string> = new Set(['numRetries', 'balanceOutboundConnections']);
const IGNORED_KEYS = ['mesh_gateway', 'Name'];

/**
 * The registration's upstream config first, then the service's override for this upstream, then its default for all, then what
 * the destination's owner wishes.
 */
export function upstreamOptions(
  registration: ProxyRegistration,
  upstream: Upstream,
  entries: ConfigEntries,
): { readonly options: UpstreamOptions; readonly problems: readonly Problem[] } {
  const problems: Problem[] = [];
  const where = `registration ${registration.id}: upstream ${upstream.destinationName}`;
  const own = readOptions(new OptionReader(upstream.config, where), problems);
  const defaults = entries.serviceDefaults.get(registration.destinationService);
  const overrideConfig = defaults?.upstreamOverrides.get(upstream.destinationName) ?? {};
  const entryText = defaults === undefined ? '' : originText(defaults.origin);
  const override = readOptions(new OptionReader(overrideConfig, `${entryText}: UpstreamConfig.Overrides`), problems);
  const general = readOptions(
    new OptionReader(defaults?.upstreamDefaults ?? {}, `${entryText}: UpstreamConfig.Defaults`),
    problems,
  );
  const ofDestination = readMeta(entries.serviceResolvers.get(upstream.destinationName), problems);
  const all = merged(merged(merged(own, override), general), ofDestination);
  // Consul's agents write the destination's own protocol into every upstream; that overrides nothing.
  const usual = protocolOfService(upstream.destinationName, entries);
  const options = { ...all, protocol: all.protocol === usual ? undefined : all.protocol };
  return { options: { ...options, customization: customizationOf(options, general) }, problems };
}

/** What the destination's owner wishes of all callers; of `Meta`, only keys of ours are ours to read. */
function readMeta(resolver: ServiceResolver | undefined, problems: Problem[]): OwnOptions {
  const written = Object.entries(resolver?.meta ?? {}).filter(([key]) => key.startsWith('weft_'));
  const where = resolver === undefined ? '' : `${originText(resolver.origin)}: Meta`;
  const reader = new OptionReader(Object.fromEntries(written), where);
  const options: OwnOptions = {
    protocol: undefined,
    connectTimeoutMs: undefined,
    limits: undefined,
    passiveHealthCheck: undefined,
    balanceOutboundConnections: undefined,
    ...readOwnKeys(reader),
  };
  reader.reportUnknown([]);
  problems.push(...reader.problems);
  return options;
}

function merged(first: OwnOptions, second: OwnOptions): OwnOptions {
  return {
    protocol: first.protocol ?? second.protocol,
    connectTimeoutMs: first.connectTimeoutMs ?? second.connectTimeoutMs,
    limits: first.limits ?? second.limits,
    passiveHealthCheck: first.passiveHealthCheck ?? second.passiveHealthCheck,
    balanceOutboundConnections: first.balanceOutboundConnections ?? second.balanceOutboundConnections,
    numRetries: first.numRetries ?? second.numRetries,
    retryBudgetPercent: first.retryBudgetPercent ?? second.retryBudgetPercent,
    loadBalancingPolicy: first.loadBalancingPolicy ?? second.loadBalancingPolicy,
    slowStartMs: first.slowStartMs ?? second.slowStartMs,
  };
}

/** A short digest of what changes this upstream's clusters and not all others'. Its listener and routes are its own anyway. */
function customizationOf(options: OwnOptions, general: OwnOptions): string {
  const usual = new Map<string, unknown>(Object.entries(general));
  const special = Object.entries(options).filter(
    ([key, value]) =>
      !OF_THE_LISTENER.has(key) && value !== undefined && JSON.stringify(value) !== JSON.stringify(usual.get(key)),
  );
  return special.length === 0 ? '' : createHash('sha256').update(JSON.stringify(special)).digest('hex').slice(0, 8);
}

function readOptions(reader: OptionReader, problems: Problem[]): OwnOptions {
  const options: OwnOptions = {
    protocol: reader.oneOf('protocol', PROTOCOLS),
    connectTimeoutMs: reader.number('connect_timeout_ms', { min: 1, max: DAY_MS }),
    limits: reader.nested('limits', readLimits),
    passiveHealthCheck: reader.nested('passive_health_check', readPassiveHealthCheck),
    balanceOutboundConnections: reader.oneOf('balance_outbound_connections', ['exact_balance']),
    ...readOwnKeys(reader),
  };
  reader.reportUnknown(IGNORED_KEYS);
  problems.push(...reader.problems);
  return options;
}

/** Keys of ours about an upstream, wherever they stand. */
function readOwnKeys(
  reader: OptionReader,
): Pick<OwnOptions, 'numRetries' | 'retryBudgetPercent' | 'loadBalancingPolicy' | 'slowStartMs'> {
  return {
    numRetries: numberKey(reader, 'weft_num_retries'),
    retryBudgetPercent: numberKey(reader, 'weft_retry_budget_percent'),
    loadBalancingPolicy: wordKey(reader, 'weft_lb_policy'),
    slowStartMs: numberKey(reader, 'weft_slow_start_ms'),
  };
}

function readLimits(reader: OptionReader): UpstreamLimits {
  const bounds = { min: 0, max: MAX_LIMIT };
  return {
    maxConnections: reader.number('max_connections', bounds),
    maxPendingRequests: reader.number('max_pending_requests', bounds),
    maxConcurrentRequests: reader.number('max_concurrent_requests', bounds),
  };
}

function readPassiveHealthCheck(reader: OptionReader): PassiveHealthCheck {
  const percent = { min: 0, max: 100 };
  return {
    intervalMs: reader.durationMs('interval', DAY_MS),
    maxFailures: reader.number('max_failures', { min: 0, max: 1_000_000 }),
    enforcingConsecutive5xx: reader.number('enforcing_consecutive_5xx', percent),
    maxEjectionPercent: reader.number('max_ejection_percent', percent),
    baseEjectionTimeMs: reader.durationMs('base_ejection_time', DAY_MS),
  };
}
