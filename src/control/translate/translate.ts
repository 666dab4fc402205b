/**
 * From what Consul says to what one proxy is told: pure functions of the catalog. This room knows Consul's semantics
 * (registrations, config entries, the discovery chain, health) and Envoy's resources as ProtoJSON; it knows no Consul
 * API, no encoding, no stream, no clock and no other proxy. Equal input gives equal output, in a stable order.
 */
import { type AccessLoggers, accessLoggers } from './access-logs.ts';
import type { ExposedCheck, ProxyRegistration, Upstream } from './catalog.ts';
import { type ConfigEntries, noting } from './config-entries.ts';
import { checksOf, exposedCheckKey, exposedCheckUnit, nothingExposed } from './exposed-checks.ts';
import { effectiveExpose, exposedPathKey, exposedPathUnit } from './exposed-paths.ts';
import { inboundUnit } from './inbound.ts';
import { type MutualTlsTerms, unobeyedModes } from './mutual-tls.ts';
import { upstreamName } from './names.ts';
import { outboundUnit } from './outbound.ts';
import { preparedQueryName, preparedQueryUnit } from './prepared-query.ts';
import { errorAt, type Problem } from './problem.ts';
import { type ProxyOptions, proxyOptions } from './proxy-options.ts';
import type { TranslatedProxy, TranslatedUnit } from './translated-proxy.ts';
import { TranslationFault } from './translation-fault.ts';
import { upstreamOptions } from './upstream-options.ts';

export * from './catalog.ts';
export type { ConfigEntries } from './config-entries.ts';
export type { Target } from './discovery-chain.ts';
export { loadAssignment } from './endpoints.ts';
export { effectiveExpose } from './exposed-paths.ts';
export {
  type GrpcScope,
  type GrpcService,
  grpcCluster,
  grpcEndpointGroup,
  isServiceName,
  targetNamed,
  translateGrpcService,
} from './grpc-service.ts';
export type { CaRoot, CaRoots, LeafCertificate } from './identity.ts';
export {
  type AllIntentions,
  type Intention,
  type IntentionAction,
  intentionProblems,
  intentionsOf,
  intentionText,
  type ServiceIntentions,
  unenforcedIntentions,
} from './intentions.ts';
export { MUTUAL_TLS_MODES, type MutualTls, type MutualTlsTerms, unobeyedTls } from './mutual-tls.ts';
export { DEFAULT_TRUST_DOMAIN } from './names.ts';
export { errorAt, type Problem, warningAt } from './problem.ts';
export { LEAF_SECRET, leafSecret, ROOTS_SECRET, rootsSecret } from './secrets.ts';
export type { EndpointGroup, EndpointSource, TranslatedProxy, TranslatedUnit } from './translated-proxy.ts';

export interface TranslationInput {
  readonly registration: ProxyRegistration;
  readonly entries: ConfigEntries;
  readonly trustDomain: string;
  /** Of the proxy's node; undefined where nobody asked for them. */
  readonly exposedChecks?: readonly ExposedCheck[] | undefined;
  /** Absent: the mesh speaks plaintext. */
  readonly mutualTls?: MutualTlsTerms | undefined;
}

/** Everything one proxy should hold, but for its endpoints, which it shares with others. Never throws on bad input. */
export function translateProxy(given: TranslationInput): TranslatedProxy {
  const services = new Set<string>();
  const input = { ...given, entries: noting(given.entries, services) };
  const problems: Problem[] = [];
  const units: TranslatedUnit[] = [];
  const faultyUnits: string[] = [];
  const attempt = (key: string, make: () => TranslatedUnit): void => {
    try {
      units.push(make());
    } catch (error) {
      if (!(error instanceof TranslationFault)) throw error;
      faultyUnits.push(key);
      problems.push(error.problem);
    }
  };
  const { options, problems: optionProblems } = proxyOptions(input.registration, input.entries);
  problems.push(...optionProblems);
  const { loggers, problems: logProblems } = accessLoggers(input.registration, input.entries);
  problems.push(...logProblems);
  const { mutualTls } = input;
  if (mutualTls === undefined) problems.push(...unobeyedModes(input.registration, input.entries));
  const report = (problem: Problem): void => void problems.push(problem);
  attempt('inbound', () => inboundUnit(input.registration, options, { ...input, mutualTls, loggers, report }));
  const expose = effectiveExpose(input.registration, input.entries);
  for (const exposed of expose.paths) {
    attempt(exposedPathKey(exposed), () => exposedPathUnit(exposed, input.registration, options, loggers));
  }
  if (expose.checks && input.exposedChecks !== undefined) {
    const checks = checksOf(input.registration, input.exposedChecks);
    for (const check of checks) {
      attempt(exposedCheckKey(check), () => exposedCheckUnit(check, input.registration, options, loggers));
    }
    if (checks.length === 0) problems.push(nothingExposed(input.registration));
  }
  const taken = new Map<string, string>();
  for (const upstream of input.registration.upstreams) {
    const key = `upstream ${nameOf(upstream)}`;
    const rival = taken.get(key) ?? taken.get(bindKey(upstream));
    if (rival !== undefined) {
      problems.push(conflict(input.registration, upstream, rival));
      continue;
    }
    taken.set(key, upstream.destinationName);
    taken.set(bindKey(upstream), upstream.destinationName);
    attempt(key, () => upstreamUnit(upstream, options, loggers, input, problems));
  }
  return { units, faultyUnits, problems, services };
}

function upstreamUnit(
  upstream: Upstream,
  { traceSamplingPercent }: ProxyOptions,
  loggers: AccessLoggers,
  { registration, entries, trustDomain, mutualTls }: TranslationInput,
  problems: Problem[],
): TranslatedUnit {
  const { options, problems: found } = upstreamOptions(registration, upstream, entries);
  problems.push(...found);
  const report = (more: readonly Problem[]): void => void problems.push(...more);
  const context = { registration, entries, trustDomain, mutualTls, traceSamplingPercent, loggers, report };
  return isQuery(upstream) ? preparedQueryUnit(upstream, options, context) : outboundUnit(upstream, options, context);
}

function isQuery({ destinationType }: Upstream): boolean {
  return destinationType === 'prepared_query';
}

function nameOf(upstream: Upstream): string {
  return isQuery(upstream) ? preparedQueryName(upstream) : upstreamName(upstream.destinationName, upstream.datacenter);
}

/** Where an upstream listens: two of them cannot listen in one place. */
function bindKey({ localBindAddress, localBindPort, localBindSocketPath }: Upstream): string {
  return localBindSocketPath === '' ? `bind ${localBindAddress} ${localBindPort}` : `bind ${localBindSocketPath}`;
}

function conflict(registration: ProxyRegistration, upstream: Upstream, rival: string): Problem {
  return errorAt(
    `registration ${registration.id}: upstream ${upstream.destinationName}`,
    `has the destination or the local bind address of upstream ${rival} before it, which counts; give each its own`,
  );
}
