import { type Decoded, FaultCollector } from './fault.ts';
import { MessageReader } from './message-reader.ts';
import { messageType, prepareMessage } from './protos.ts';
import type { HeaderPair } from './upstream-service.ts';

/** The messages of envoy.service.ratelimit.v3.RateLimitService, for a caller that knows no protobuf. */

export const SHOULD_RATE_LIMIT_PATH = '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit';

const REQUEST = 'envoy.service.ratelimit.v3.RateLimitRequest';
const RESPONSE = 'envoy.service.ratelimit.v3.RateLimitResponse';
const OVER_LIMIT = 2;

export interface DescriptorEntry {
  readonly key: string;
  readonly value: string;
}

/** envoy.extensions.common.ratelimit.v3.RateLimitDescriptor. */
export interface RateLimitDescriptor {
  readonly entries: readonly DescriptorEntry[];
  /** Instead of the limit that the service has for it. `unit` is a number of envoy.type.v3.RateLimitUnit. */
  readonly limit: { readonly requestsPerUnit: number; readonly unit: number } | undefined;
  readonly hitsAddend: number | undefined;
}

/** Names of envoy.type.v3.RateLimitUnit, as metadata says them. */
export const RATE_LIMIT_UNITS: ReadonlyMap<string, number> = new Map(
  ['UNKNOWN', 'SECOND', 'MINUTE', 'HOUR', 'DAY', 'MONTH', 'YEAR'].map((name, number) => [name, number]),
);

/** Seconds of a RateLimitResponse.RateLimit.Unit, by its number; a month has 30 days. */
const UNIT_SECONDS = [0, 1, 60, 3_600, 86_400, 2_592_000, 31_536_000];

/** A limit of the service's, and what is left of it. */
export interface LimitStatus {
  /** '': none. */
  readonly name: string;
  readonly requestsPerUnit: number;
  /** 0: not known. */
  readonly unitSeconds: number;
  readonly remaining: number;
  readonly secondsUntilReset: number;
}

/** Header values are latin1 text, as everywhere on the data path. */
export interface RateLimitAnswer {
  readonly isOverLimit: boolean;
  /** Of the descriptors that have a limit. */
  readonly statuses: readonly LimitStatus[];
  readonly responseHeaders: readonly HeaderPair[];
  readonly requestHeaders: readonly HeaderPair[];
  readonly body: string;
  readonly dynamicMetadata: Readonly<Record<string, unknown>>;
}

export function prepareRateLimitMessages(): void {
  prepareMessage(REQUEST);
  prepareMessage(RESPONSE);
}

export function encodeRateLimitRequest(domain: string, descriptors: readonly RateLimitDescriptor[]): Uint8Array {
  const parts = descriptors.map(({ entries, limit, hitsAddend }) => ({
    entries,
    ...(limit === undefined ? {} : { limit: { requests_per_unit: limit.requestsPerUnit, unit: limit.unit } }),
    ...(hitsAddend === undefined ? {} : { hits_addend: { value: hitsAddend } }),
  }));
  return messageType(REQUEST).encode({ domain, descriptors: parts }).finish();
}

/** `quota` is an allowance for requests that are not asked about; every request is asked about here. */
export function decodeRateLimitResponse(bytes: Uint8Array): Decoded<RateLimitAnswer> {
  const faults = new FaultCollector();
  const reader = MessageReader.over(messageType(RESPONSE), bytes, '', faults);
  if (reader === undefined) return { ok: false, faults: faults.list() };
  return faults.decoded({
    isOverLimit: reader.enumNumber('overall_code') === OVER_LIMIT,
    statuses: reader.messages('statuses').flatMap(decodeStatus),
    responseHeaders: reader.messages('response_headers_to_add').map(decodeHeader),
    requestHeaders: reader.messages('request_headers_to_add').map(decodeHeader),
    body: Buffer.from(reader.bytes('raw_body')).toString('utf8'),
    dynamicMetadata: reader.struct('dynamic_metadata') ?? {},
  });
}

function decodeStatus(reader: MessageReader): readonly LimitStatus[] {
  const limit = reader.message('current_limit');
  if (limit === undefined) return [];
  return [
    {
      name: limit.string('name'),
      requestsPerUnit: limit.number('requests_per_unit'),
      unitSeconds: UNIT_SECONDS[limit.enumNumber('unit')] ?? 0,
      remaining: reader.number('limit_remaining'),
      secondsUntilReset: Math.floor((reader.durationMs('duration_until_reset') ?? 0) / 1000),
    },
  ];
}

function decodeHeader(reader: MessageReader): HeaderPair {
  const raw = reader.bytes('raw_value');
  const value = raw.length > 0 ? Buffer.from(raw) : Buffer.from(reader.string('value'), 'utf8');
  return { name: reader.string('key').toLowerCase(), value: value.toString('latin1') };
}
