import { z } from 'zod';
import type { LoadBalancer, LoadBalancerHashPolicy, ResolverRedirect } from '../translate/config-entries.ts';
import { flag, list, optionalCount, optionalDurationMs, sortedEntries, text } from './fields.ts';

const HASH_FIELDS = ['header', 'cookie', 'query_parameter'] as const;

const hashPolicy = z
  .object({
    Field: text,
    FieldValue: text,
    CookieConfig: z.object({ Session: flag, TTL: optionalDurationMs, Path: text }).nullish(),
    SourceIP: flag,
    Terminal: flag,
  })
  .transform((policy, context): LoadBalancerHashPolicy => {
    const terminal = policy.Terminal;
    if (policy.SourceIP) return { field: 'source_ip', terminal };
    const field = HASH_FIELDS.find((known) => known === policy.Field);
    if (field === undefined || policy.FieldValue === '') {
      const message = `Field must be one of ${HASH_FIELDS.join(', ')} with a FieldValue, or SourceIP true`;
      context.addIssue({ code: 'custom', message });
      return z.NEVER;
    }
    if (field !== 'cookie') return { field, value: policy.FieldValue, terminal };
    const cookie = policy.CookieConfig;
    // A session cookie is one with a lifetime of zero; a cookie without CookieConfig is only read, never set.
    const ttlMs = cookie?.Session === true ? 0 : cookie?.TTL;
    return { field, value: policy.FieldValue, ttlMs, path: cookie?.Path ?? '', terminal };
  });

/** What Envoy and gRPC take at most. */
const MAX_RING_SIZE = 8_388_608;
const ringSize = optionalCount.refine((size = 0) => size <= MAX_RING_SIZE, `at most ${MAX_RING_SIZE}`);

const ringHashConfig = z
  .object({ MinimumRingSize: ringSize, MaximumRingSize: ringSize })
  .refine(
    ({ MinimumRingSize: min, MaximumRingSize: max }) => min === undefined || max === undefined || min <= max,
    'MinimumRingSize is above MaximumRingSize',
  );

const choiceCount = optionalCount.refine((count) => count !== 1, 'a choice is among 2 at least');

const loadBalancer = z
  .object({
    Policy: z.enum(['', 'random', 'round_robin', 'least_request', 'ring_hash', 'maglev']).nullish(),
    RingHashConfig: ringHashConfig.nullish(),
    LeastRequestConfig: z.object({ ChoiceCount: choiceCount }).nullish(),
    HashPolicies: list(hashPolicy),
  })
  .transform(
    (value): LoadBalancer => ({
      policy: value.Policy ?? '',
      choiceCount: value.LeastRequestConfig?.ChoiceCount,
      minimumRingSize: value.RingHashConfig?.MinimumRingSize,
      maximumRingSize: value.RingHashConfig?.MaximumRingSize,
      hashPolicies: value.HashPolicies,
    }),
  );

const subset = z
  .object({ Filter: text, OnlyPassing: flag })
  .transform((value) => ({ filter: value.Filter, onlyPassing: value.OnlyPassing }));

const redirect = z
  .object({ Service: text, ServiceSubset: text, Datacenter: text, Peer: text })
  .refine((value) => Object.values(value).some((field) => field !== ''), 'names nothing to redirect to')
  .transform(
    (value): ResolverRedirect => ({
      service: value.Service,
      serviceSubset: value.ServiceSubset,
      datacenter: value.Datacenter,
      peer: value.Peer,
    }),
  );

const failoverTarget = z.object({ Service: text, ServiceSubset: text, Datacenter: text, Peer: text }).transform(
  (value): ResolverRedirect => ({
    service: value.Service,
    serviceSubset: value.ServiceSubset,
    datacenter: value.Datacenter,
    peer: value.Peer,
  }),
);

/** Datacenters of one service, or a list of targets, or one other service or subset. */
const failover = z
  .object({ Service: text, ServiceSubset: text, Datacenters: list(z.string().min(1)), Targets: list(failoverTarget) })
  .transform((rule): readonly ResolverRedirect[] => {
    const change = { service: rule.Service, serviceSubset: rule.ServiceSubset, datacenter: '', peer: '' };
    if (rule.Datacenters.length > 0) return rule.Datacenters.map((datacenter) => ({ ...change, datacenter }));
    return rule.Targets.length > 0 ? rule.Targets : [change];
  });

export const serviceResolver = z
  .object({
    Meta: z.record(z.string(), text).nullish(),
    DefaultSubset: text,
    Subsets: sortedEntries(subset),
    Redirect: redirect.nullish(),
    Failover: sortedEntries(failover),
    ConnectTimeout: optionalDurationMs,
    RequestTimeout: optionalDurationMs,
    LoadBalancer: loadBalancer.nullish(),
  })
  .transform((entry) => ({
    meta: entry.Meta ?? {},
    defaultSubset: entry.DefaultSubset,
    subsets: new Map(entry.Subsets),
    redirect: entry.Redirect ?? undefined,
    failover: new Map(entry.Failover),
    connectTimeoutMs: entry.ConnectTimeout,
    requestTimeoutMs: entry.RequestTimeout,
    loadBalancer: entry.LoadBalancer ?? undefined,
  }));
