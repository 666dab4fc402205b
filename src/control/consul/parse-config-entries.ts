import { z } from 'zod';
import { type EntryOrigin, type OpaqueConfig, originText } from '../translate/catalog.ts';
import type {
  ConfigEntryKind,
  ProxyDefaults,
  ServiceDefaults,
  ServiceResolver,
  ServiceRouter,
  ServiceSplitter,
} from '../translate/config-entries.ts';
import { snakeCaseKeys } from '../translate/option-reader.ts';
import { errorAt, type Problem } from '../translate/problem.ts';
import { count, issuesText, list, modifyIndex, notObeyed, opaque, text } from './fields.ts';
import { serviceResolver } from './parse-resolver.ts';
import { serviceRouter, serviceSplitter } from './parse-routing.ts';

/** What each kind becomes. */
export interface EntryOfKind {
  'proxy-defaults': ProxyDefaults;
  'service-defaults': ServiceDefaults;
  'service-router': ServiceRouter;
  'service-splitter': ServiceSplitter;
  'service-resolver': ServiceResolver;
}

/** All entries of one kind by name, and what was wrong with the others. */
export interface ParsedEntries<K extends ConfigEntryKind> {
  readonly entries: ReadonlyMap<string, EntryOfKind[K]>;
  readonly problems: readonly Problem[];
}

const head = z.object({ Kind: z.string(), Name: z.string().min(1), ModifyIndex: modifyIndex });

const proxyDefaults = z.object({ Config: opaque }).transform((entry) => ({ config: entry.Config }));

const serviceDefaults = z
  .object({
    Protocol: text,
    ExternalSNI: text,
    MaxInboundConnections: count,
    LocalConnectTimeoutMs: count,
    LocalRequestTimeoutMs: count,
    UpstreamConfig: z
      .object({ Defaults: opaque, Overrides: list(z.looseObject({ Name: z.string().min(1) })) })
      .nullish()
      .transform((value) => value ?? { Defaults: {}, Overrides: [] }),
  })
  .transform((entry) => ({
    protocol: entry.Protocol.toLowerCase(),
    externalSni: entry.ExternalSNI,
    maxInboundConnections: entry.MaxInboundConnections,
    localConnectTimeoutMs: entry.LocalConnectTimeoutMs,
    localRequestTimeoutMs: entry.LocalRequestTimeoutMs,
    upstreamDefaults: upstreamOptions(entry.UpstreamConfig.Defaults),
    upstreamOverrides: new Map(
      entry.UpstreamConfig.Overrides.map((override) => [override.Name, upstreamOptions(override)] as const),
    ),
  }));

const SCHEMAS = {
  'proxy-defaults': proxyDefaults,
  'service-defaults': serviceDefaults,
  'service-router': serviceRouter,
  'service-splitter': serviceSplitter,
  'service-resolver': serviceResolver,
} as const;

/** Fields of Consul's that mean something and are not obeyed yet: whoever sets one is told. */
const NOT_OBEYED: Readonly<Record<ConfigEntryKind, readonly string[]>> = {
  'proxy-defaults': [
    'MeshGateway',
    'Expose',
    'AccessLogs',
    'FailoverPolicy',
    'PrioritizeByLocality',
    'EnvoyExtensions',
  ],
  'service-defaults': ['MeshGateway', 'Expose', 'ExternalSNI', 'Destination', 'RateLimits', 'EnvoyExtensions'],
  'service-router': [],
  'service-splitter': [],
  'service-resolver': ['PrioritizeByLocality'],
};

/**
 * Reads the answer of `/v1/config/:kind`. An entry that is wrong is named and skipped; where an earlier form of it was
 * right, that one stays in force. Throws only where the answer is no list at all.
 */
export function parseConfigEntries<K extends ConfigEntryKind>(
  kind: K,
  body: unknown,
  previous: ParsedEntries<K> | undefined,
): ParsedEntries<K> {
  const entries = new Map<string, EntryOfKind[K]>();
  const problems: Problem[] = [];
  for (const item of z.array(z.unknown()).nullish().parse(body) ?? []) {
    const named = head.safeParse(item);
    if (!named.success) {
      problems.push(errorAt(kind, `an entry without a readable name: ${issuesText(named.error)}`));
      continue;
    }
    const origin: EntryOrigin = { kind, name: named.data.Name, modifyIndex: named.data.ModifyIndex };
    const parsed = SCHEMAS[kind].safeParse(item);
    if (parsed.success) {
      problems.push(...notObeyed(item, NOT_OBEYED[kind], originText(origin)));
      // SCHEMAS and EntryOfKind list the same kinds; TypeScript does not follow the pairing through a generic key.
      entries.set(origin.name, { origin, ...parsed.data } as unknown as EntryOfKind[K]);
      continue;
    }
    const lastGood = previous?.entries.get(origin.name);
    if (lastGood !== undefined) entries.set(origin.name, lastGood);
    const kept =
      lastGood === undefined ? 'it is ignored until it is mended' : `${originText(lastGood.origin)} stays in force`;
    problems.push(errorAt(originText(origin), `${issuesText(parsed.error)}; ${kept}`));
  }
  return { entries: new Map([...entries].sort(([a], [b]) => (a < b ? -1 : 1))), problems };
}

/** What an entry says of upstreams, in the spelling of a registration's upstream config, from here on the only one. */
function upstreamOptions(block: OpaqueConfig): OpaqueConfig {
  const known = Object.entries(snakeCaseKeys(block)).filter(
    ([key, value]) => UPSTREAM_KEYS.includes(key) && !isUnset(value),
  );
  return Object.fromEntries(known);
}

const UPSTREAM_KEYS = [
  'protocol',
  'connect_timeout_ms',
  'limits',
  'passive_health_check',
  'balance_outbound_connections',
];

function isUnset(value: unknown): boolean {
  return value === null || value === undefined || value === '' || value === 0;
}
