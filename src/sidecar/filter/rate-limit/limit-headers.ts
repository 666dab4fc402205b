import type { LimitStatus } from '../../../resource/rate-limit-message.ts';
import type { HeaderPair } from '../../../resource/upstream-service.ts';

/**
 * draft-polli-ratelimit-headers-03: the limit that is closest to its end, with the windows of all of them behind it:
 * `10, 10;w=1;name="per-ip", 1000;w=3600`.
 */
export function limitHeaders(statuses: readonly LimitStatus[]): readonly HeaderPair[] {
  let closest: LimitStatus | undefined;
  let windows = '';
  for (const status of statuses) {
    if (closest === undefined || status.remaining < closest.remaining) closest = status;
    if (status.unitSeconds === 0) continue;
    windows += `, ${status.requestsPerUnit};w=${status.unitSeconds}`;
    if (status.name !== '') windows += `;name="${status.name}"`;
  }
  if (closest === undefined) return [];
  return [
    { name: 'x-ratelimit-limit', value: `${closest.requestsPerUnit}${windows}` },
    { name: 'x-ratelimit-remaining', value: String(closest.remaining) },
    { name: 'x-ratelimit-reset', value: String(closest.secondsUntilReset) },
  ];
}
