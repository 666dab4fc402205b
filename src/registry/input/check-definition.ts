/** A health check as registered: which kind, how often, how many results in a row change its status. */

import { parseGoDurationMs } from '../../base/go-duration.ts';
import { ApiError } from '../api-error.ts';
import { type CheckStatus, isCheckStatus } from '../state/catalog-rows.ts';
import type { JsonObject } from './shape.ts';

export type CheckProbe =
  | {
      readonly kind: 'http';
      readonly url: string;
      readonly method: string;
      readonly headers: Readonly<Record<string, readonly string[]>>;
      readonly body: string;
      readonly intervalMs: number;
      readonly timeoutMs: number;
    }
  | { readonly kind: 'tcp'; readonly target: string; readonly intervalMs: number; readonly timeoutMs: number }
  | { readonly kind: 'ttl'; readonly ttlMs: number }
  | { readonly kind: 'alias'; readonly serviceId: string };

export interface CheckDefinition {
  /** Empty when the registrant gave none: the agent then makes one. */
  readonly checkId: string;
  readonly name: string;
  readonly notes: string;
  /** Only for checks registered on their own: the service they belong to, empty for the node. */
  readonly serviceId: string;
  readonly initialStatus: CheckStatus;
  readonly probe: CheckProbe;
  readonly intervalText: string;
  readonly timeoutText: string;
  readonly successBeforePassing: number;
  readonly failuresBeforeWarning: number;
  readonly failuresBeforeCritical: number;
  /** 0: never. */
  readonly deregisterCriticalAfterMs: number;
}

/** Consul's default, and the floor below which a probe would only burn the machine. */
const DEFAULT_TIMEOUT_MS = 10_000;
const MIN_INTERVAL_MS = 50;
/** setTimeout cannot wait longer. */
const MAX_DELAY_MS = 2_147_483_647;

/** Kinds of checks Consul has and this agent does not run, refused by name rather than passed over. */
const REFUSED: readonly (readonly [field: string, what: string])[] = [
  ['Args', 'script checks'],
  ['GRPC', 'gRPC checks'],
  ['UDP', 'UDP checks'],
  ['H2PING', 'HTTP/2 ping checks'],
  ['DockerContainerID', 'Docker checks'],
  ['OSService', 'OS service checks'],
  ['TLSSkipVerify', 'checks that skip TLS verification'],
  ['TCPUseTLS', 'TCP checks over TLS'],
];

export function readCheckDefinition(fields: JsonObject, prefix: string): CheckDefinition {
  const text = (name: string): string => (typeof fields[name] === 'string' ? fields[name] : '');
  const count = (name: string): number => (typeof fields[name] === 'number' ? fields[name] : 0);
  for (const [field, what] of REFUSED) {
    const value = fields[field];
    if (value === undefined || value === '' || value === false || (Array.isArray(value) && value.length === 0))
      continue;
    throw new ApiError(400, `${prefix}: this agent does not run ${what} (${field}); use HTTP, TCP, TTL or an alias`);
  }
  const status = text('Status');
  if (status !== '' && !isCheckStatus(status)) {
    throw new ApiError(400, `Status for checks must 'passing', 'warning', 'critical'`);
  }
  const failuresBeforeCritical = count('FailuresBeforeCritical');
  const failuresBeforeWarning = count('FailuresBeforeWarning');
  if (failuresBeforeWarning > failuresBeforeCritical) {
    throw new ApiError(400, `${prefix}: FailuresBeforeWarning can't be higher than FailuresBeforeCritical`);
  }
  const id = text('CheckID');
  return {
    checkId: id === '' ? text('ID') : id,
    name: text('Name'),
    notes: text('Notes'),
    serviceId: text('ServiceID'),
    initialStatus: isCheckStatus(status) ? status : 'critical',
    probe: readProbe(fields, prefix),
    intervalText: text('Interval'),
    timeoutText: text('Timeout'),
    successBeforePassing: count('SuccessBeforePassing'),
    failuresBeforeWarning: failuresBeforeWarning > 0 ? failuresBeforeWarning : failuresBeforeCritical,
    failuresBeforeCritical,
    deregisterCriticalAfterMs: durationMs(fields, 'DeregisterCriticalServiceAfter', prefix),
  };
}

function readProbe(fields: JsonObject, prefix: string): CheckProbe {
  const intervalMs = durationMs(fields, 'Interval', prefix);
  const ttlMs = durationMs(fields, 'TTL', prefix);
  const url = fields['HTTP'];
  const target = fields['TCP'];
  const aliasService = fields['AliasService'];
  if (intervalMs > 0 && ttlMs > 0) throw new ApiError(400, `${prefix}: Interval and TTL cannot both be specified`);
  if (typeof aliasService === 'string' && aliasService !== '') return { kind: 'alias', serviceId: aliasService };
  if (typeof fields['AliasNode'] === 'string' && fields['AliasNode'] !== '') {
    throw new ApiError(400, `${prefix}: this agent runs alias checks for services only; set AliasService`);
  }
  if (typeof url === 'string' && url !== '') return httpProbe(url, fields, intervalMs, prefix);
  if (typeof target === 'string' && target !== '') return tcpProbe(target, fields, intervalMs, prefix);
  if (ttlMs <= 0) throw new ApiError(400, `${prefix}: TTL must be > 0 for TTL checks`);
  return { kind: 'ttl', ttlMs };
}

function httpProbe(url: string, fields: JsonObject, intervalMs: number, prefix: string): CheckProbe {
  needInterval(intervalMs, prefix);
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || (parsed.protocol !== 'http:' && parsed.protocol !== 'https:')) {
    throw new ApiError(400, `${prefix}: HTTP ${JSON.stringify(url)} is not an http:// or https:// URL`);
  }
  const method = fields['Method'];
  const body = fields['Body'];
  if (typeof method === 'string' && method !== '' && !/^[A-Za-z]{1,32}$/.test(method)) {
    throw new ApiError(400, `${prefix}: Method ${JSON.stringify(method)} is not an HTTP method`);
  }
  return {
    kind: 'http',
    url,
    method: typeof method === 'string' && method !== '' ? method.toUpperCase() : 'GET',
    headers: headersOf(fields['Header']),
    body: typeof body === 'string' ? body : '',
    intervalMs: Math.max(MIN_INTERVAL_MS, intervalMs),
    timeoutMs: timeoutOf(fields, intervalMs, prefix),
  };
}

function tcpProbe(target: string, fields: JsonObject, intervalMs: number, prefix: string): CheckProbe {
  needInterval(intervalMs, prefix);
  if (!/^.*:\d{1,5}$/.test(target)) {
    throw new ApiError(400, `${prefix}: TCP ${JSON.stringify(target)} is not host:port`);
  }
  return {
    kind: 'tcp',
    target,
    intervalMs: Math.max(MIN_INTERVAL_MS, intervalMs),
    timeoutMs: timeoutOf(fields, intervalMs, prefix),
  };
}

function headersOf(value: unknown): Record<string, readonly string[]> {
  if (typeof value !== 'object' || value === null) return {};
  const result: Record<string, readonly string[]> = {};
  for (const [name, items] of Object.entries(value)) {
    if (Array.isArray(items)) result[name] = items.filter((item) => typeof item === 'string');
  }
  return result;
}

function needInterval(intervalMs: number, prefix: string): void {
  if (intervalMs <= 0)
    throw new ApiError(400, `${prefix}: Interval must be > 0 for Script, HTTP, H2PING, TCP, UDP or OSService checks`);
}

function timeoutOf(fields: JsonObject, intervalMs: number, prefix: string): number {
  const timeoutMs = durationMs(fields, 'Timeout', prefix);
  if (timeoutMs > 0) return timeoutMs;
  return Math.min(DEFAULT_TIMEOUT_MS, Math.max(MIN_INTERVAL_MS, intervalMs));
}

function durationMs(fields: JsonObject, name: string, prefix: string): number {
  const text = fields[name];
  if (typeof text !== 'string') return 0;
  const ms = parseGoDurationMs(text) ?? 0;
  if (ms < 0 || ms > MAX_DELAY_MS) {
    throw new ApiError(
      400,
      `${prefix}: ${name} ${text} must be between 0s and ${Math.floor(MAX_DELAY_MS / 3_600_000)}h`,
    );
  }
  return ms;
}
