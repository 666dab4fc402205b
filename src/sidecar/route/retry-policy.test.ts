import { describe, expect, it } from 'vitest';
import { plainFields } from '../../../test/support/plain-fields.ts';
import { retryPolicy } from '../../../test/support/resources.ts';
import { CompiledRetryPolicy } from './retry-policy.ts';

const compiled = (retryOn: string[], overrides = {}): CompiledRetryPolicy =>
  new CompiledRetryPolicy(retryPolicy({ retryOn, ...overrides }));

describe('retry policy', () => {
  it.each([
    [['5xx'], [500, 503, 599], [200, 404, 409]],
    [['gateway-error'], [502, 503, 504], [500, 501, 505]],
    [['retriable-4xx'], [409], [400, 404, 500]],
    [['connect-failure'], [], [500, 503]],
  ] as const)('%o retries %o and not %o', (words, yes, no) => {
    const policy = compiled([...words]);
    for (const status of yes) expect(policy.retriesStatus(status)).toBe(true);
    for (const status of no) expect(policy.retriesStatus(status)).toBe(false);
  });

  it('obeys retriable_status_codes only with its word', () => {
    expect(compiled(['retriable-status-codes'], { retriableStatusCodes: [418] }).retriesStatus(418)).toBe(true);
    expect(compiled(['reset'], { retriableStatusCodes: [418] }).retriesStatus(418)).toBe(false);
  });

  it('takes 5xx to include connect failures, resets and refused streams', () => {
    const policy = compiled(['5xx']);
    expect([policy.onConnectFailure, policy.onReset, policy.onRefusedStream]).toEqual([true, true, true]);
  });

  it('retries a response by header', () => {
    const policy = compiled(['retriable-headers'], {
      retriableHeaders: [
        {
          name: 'x-weft-not-processed',
          match: { kind: 'present', present: true },
          invertMatch: false,
          treatMissingHeaderAsEmpty: false,
        },
      ],
    });
    expect(policy.retriesResponse(503, plainFields([['x-weft-not-processed', 'connect-failure']]))).toBe(true);
    expect(policy.retriesResponse(503, plainFields([]))).toBe(false);
  });
});
