import { z } from 'zod';
import type { AccessLogs, OpaqueConfig } from '../translate/catalog.ts';
import type { InstanceRateLimits, RequestNormalization } from '../translate/config-entries.ts';
import { snakeCaseKeys } from '../translate/option-reader.ts';
import { count, flag, list, mutualTlsMode, opaque, optionalCount, regex, text } from './fields.ts';
import { expose } from './parse-expose.ts';
import { meshTls } from './parse-mesh-tls.ts';

/** `proxy-defaults`, `service-defaults` and `mesh`: what is said of proxies and services as such. */

export const accessLogs = z
  .object({
    Enabled: flag,
    DisableListenerLogs: flag,
    Type: z.enum(['', 'stdout', 'stderr', 'file']).nullish(),
    Path: text,
    JSONFormat: text,
    TextFormat: text,
  })
  .nullish()
  .transform((value, context): AccessLogs | undefined => {
    if (value?.Enabled !== true) return undefined;
    const type = value.Type === '' || value.Type === null || value.Type === undefined ? 'stdout' : value.Type;
    if (type === 'file' && value.Path === '') {
      context.addIssue({ code: 'custom', path: ['Path'], message: 'must be set where Type is "file"' });
      return z.NEVER;
    }
    const json = value.JSONFormat === '' ? undefined : jsonObject(value.JSONFormat);
    if (value.JSONFormat !== '' && json === undefined) {
      context.addIssue({ code: 'custom', path: ['JSONFormat'], message: 'is no JSON object' });
      return z.NEVER;
    }
    return { type, path: value.Path, json, text: value.TextFormat, onListeners: !value.DisableListenerLogs };
  });

function jsonObject(written: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(written);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined;
  }
}

export const proxyDefaults = z
  .object({ Config: opaque, AccessLogs: accessLogs, MutualTLSMode: mutualTlsMode, Expose: expose })
  .transform((entry) => ({
    config: entry.Config,
    accessLogs: entry.AccessLogs,
    mutualTlsMode: entry.MutualTLSMode,
    expose: entry.Expose,
  }));

const routeRateLimit = z
  .object({
    PathExact: text,
    PathPrefix: text,
    PathRegex: regex.nullish().transform((value) => value ?? ''),
    RequestsPerSecond: count,
    RequestsMaxBurst: count,
  })
  .transform((value, context) => {
    const paths = [
      ...(value.PathExact === '' ? [] : [{ kind: 'exact' as const, value: value.PathExact }]),
      ...(value.PathPrefix === '' ? [] : [{ kind: 'prefix' as const, value: value.PathPrefix }]),
      ...(value.PathRegex === '' ? [] : [{ kind: 'regex' as const, value: value.PathRegex }]),
    ];
    const [path] = paths;
    if (path === undefined || paths.length > 1) {
      context.addIssue({ code: 'custom', message: 'needs exactly one of PathExact, PathPrefix, PathRegex' });
      return z.NEVER;
    }
    return { path, requestsPerSecond: value.RequestsPerSecond, maxBurst: value.RequestsMaxBurst };
  });

const rateLimits = z
  .object({
    InstanceLevel: z
      .object({ RequestsPerSecond: count, RequestsMaxBurst: count, Routes: list(routeRateLimit) })
      .nullish(),
  })
  .nullish()
  .transform((value): InstanceRateLimits | undefined => {
    const level = value?.InstanceLevel;
    if (!level || (level.RequestsPerSecond === 0 && level.Routes.length === 0)) return undefined;
    return { requestsPerSecond: level.RequestsPerSecond, maxBurst: level.RequestsMaxBurst, routes: level.Routes };
  });

export const serviceDefaults = z
  .object({
    Protocol: text,
    ExternalSNI: text,
    MaxInboundConnections: count,
    LocalConnectTimeoutMs: count,
    LocalRequestTimeoutMs: count,
    BalanceInboundConnections: text,
    MutualTLSMode: mutualTlsMode,
    MaxRequestHeadersKB: optionalCount,
    RateLimits: rateLimits,
    Expose: expose,
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
    balanceInboundConnections: entry.BalanceInboundConnections,
    mutualTlsMode: entry.MutualTLSMode,
    maxRequestHeadersKb: entry.MaxRequestHeadersKB,
    rateLimits: entry.RateLimits,
    expose: entry.Expose,
    upstreamDefaults: upstreamOptions(entry.UpstreamConfig.Defaults),
    upstreamOverrides: new Map(
      entry.UpstreamConfig.Overrides.map((override) => [override.Name, upstreamOptions(override)] as const),
    ),
  }));

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

const ESCAPED_SLASHES_ACTIONS = [
  'IMPLEMENTATION_SPECIFIC_DEFAULT',
  'KEEP_UNCHANGED',
  'REJECT_REQUEST',
  'UNESCAPE_AND_REDIRECT',
  'UNESCAPE_AND_FORWARD',
] as const;
const UNDERSCORES_ACTIONS = ['ALLOW', 'REJECT_REQUEST', 'DROP_HEADER'] as const;

const word = (words: readonly string[]) =>
  text
    .refine((value) => value === '' || words.includes(value), `one of ${words.join(', ')}`)
    .transform((value) => (value === '' ? undefined : value));

const requestNormalization = z
  .object({
    InsecureDisablePathNormalization: flag,
    MergeSlashes: flag,
    PathWithEscapedSlashesAction: word(ESCAPED_SLASHES_ACTIONS),
    HeadersWithUnderscoresAction: word(UNDERSCORES_ACTIONS),
  })
  .nullish()
  .transform(
    (value): RequestNormalization => ({
      normalizePath: value?.InsecureDisablePathNormalization !== true,
      mergeSlashes: value?.MergeSlashes ?? false,
      pathWithEscapedSlashesAction: value?.PathWithEscapedSlashesAction,
      headersWithUnderscoresAction: value?.HeadersWithUnderscoresAction,
    }),
  );

export const mesh = z
  .object({
    HTTP: z.object({ Incoming: z.object({ RequestNormalization: requestNormalization }).nullish() }).nullish(),
    TLS: meshTls,
  })
  .transform((entry) => ({
    requestNormalization: entry.HTTP?.Incoming?.RequestNormalization ?? requestNormalization.parse(undefined),
    tls: entry.TLS,
  }));
