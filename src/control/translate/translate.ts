/**
 * From what Consul says to what one proxy is told: pure functions of the catalog. This room knows Consul's semantics
 * (registrations, config entries, the discovery chain, health) and Envoy's resources as ProtoJSON; it knows no Consul
 * API, no encoding, no stream, no clock and no other proxy. Equal input gives equal output, in a stable order.
 */
import type { ProxyRegistration, Upstream } from './catalog.ts';
import type { ConfigEntries } from './config-entries.ts';
import { inboundUnit } from './inbound.ts';
import { upstreamName } from './names.ts';
import { outboundUnit } from './outbound.ts';
import { errorAt, type Problem } from './problem.ts';
import { type ProxyOptions, proxyOptions } from './proxy-options.ts';
import type { TranslatedProxy, TranslatedUnit } from './translated-proxy.ts';
import { TranslationFault } from './translation-fault.ts';
import { upstreamOptions } from './upstream-options.ts';

export * from './catalog.ts';
export { type ConfigEntries, NO_CONFIG_ENTRIES } from './config-entries.ts';
export { loadAssignment } from './endpoints.ts';
export { DEFAULT_TRUST_DOMAIN } from './names.ts';
export type { Problem } from './problem.ts';
export type { EndpointGroup, TranslatedProxy, TranslatedUnit } from './translated-proxy.ts';

export interface TranslationInput {
  readonly registration: ProxyRegistration;
  readonly entries: ConfigEntries;
  readonly trustDomain: string;
}

/** Everything one proxy should hold, but for its endpoints, which it shares with others. Never throws on bad input. */
export function translateProxy(input: TranslationInput): TranslatedProxy {
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
  attempt('inbound', () => inboundUnit(input.registration, options, input.entries));
  const seen = new Set<string>();
  for (const upstream of input.registration.upstreams) {
    const key = `upstream ${upstreamName(upstream.destinationName, upstream.datacenter)}`;
    if (seen.has(key)) problems.push(duplicate(input.registration, upstream));
    else attempt(key, () => upstreamUnit(upstream, options, input, problems));
    seen.add(key);
  }
  return { units, faultyUnits, problems };
}

function upstreamUnit(
  upstream: Upstream,
  { traceSamplingPercent }: ProxyOptions,
  { registration, entries, trustDomain }: TranslationInput,
  problems: Problem[],
): TranslatedUnit {
  const { options, problems: found } = upstreamOptions(registration, upstream, entries);
  problems.push(...found);
  return outboundUnit(upstream, options, { registration, entries, trustDomain, traceSamplingPercent });
}

function duplicate(registration: ProxyRegistration, upstream: Upstream): Problem {
  return errorAt(
    `registration ${registration.id}: upstream ${upstream.destinationName}`,
    'is listed twice; the first entry counts. Give one destination one local_bind_port',
  );
}
