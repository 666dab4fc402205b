import { type MetadataLimit, type MetadataLimits, readMetadataLimits } from './metadata-limits.ts';
import type { FilterMetadata } from './route-configuration.ts';

/** Bounds on HTTP/2 clients that Envoy's Http2ProtocolOptions has no word for, by the names that `http/http2` has for them. */
export type Http2LimitName =
  | 'maxContinuationFrames'
  | 'glitchBurst'
  | 'glitchesPerSecond'
  | 'maxSettingsPerFrame'
  | 'dataOverheadBudgetBytes'
  | 'maxQueuedBytes'
  | 'maxBacklogBytes'
  | 'maxSendBufferBytes'
  | 'maxTrailerBytes'
  | 'maxTargetBytes'
  | 'sendStallTimeoutMs';

export type Http2LimitValues = MetadataLimits<Http2LimitName>['values'];

/** Where a listener's metadata holds them. */
export const HTTP2_LIMITS_METADATA = 'weft.http2_limits';

const MIB = 1024 * 1024;

const KEYS: ReadonlyMap<string, MetadataLimit<Http2LimitName>> = new Map([
  ['max_continuation_frames', { name: 'maxContinuationFrames', smallest: 0, largest: 512 }],
  ['reset_burst', { name: 'glitchBurst', smallest: 1, largest: 1_000_000 }],
  ['resets_per_second', { name: 'glitchesPerSecond', smallest: 0, largest: 1_000_000 }],
  ['max_settings_per_frame', { name: 'maxSettingsPerFrame', smallest: 1, largest: 1_000 }],
  ['small_data_budget_bytes', { name: 'dataOverheadBudgetBytes', smallest: 256, largest: 64 * MIB }],
  ['max_unread_bytes', { name: 'maxQueuedBytes', smallest: 65_536, largest: 64 * MIB }],
  ['max_backlog_bytes', { name: 'maxBacklogBytes', smallest: 65_536, largest: 1024 * MIB }],
  ['max_stream_buffer_bytes', { name: 'maxSendBufferBytes', smallest: 131_072, largest: 256 * MIB }],
  ['max_trailer_bytes', { name: 'maxTrailerBytes', smallest: 0, largest: MIB }],
  ['max_path_bytes', { name: 'maxTargetBytes', smallest: 1, largest: MIB }],
  ['stream_stall_timeout_ms', { name: 'sendStallTimeoutMs', smallest: 1, largest: 3_600_000 }],
]);

/** What a listener's metadata says, and what of it cannot be obeyed. */
export function readHttp2Limits(metadata: FilterMetadata): MetadataLimits<Http2LimitName> {
  return readMetadataLimits(metadata, HTTP2_LIMITS_METADATA, KEYS);
}
