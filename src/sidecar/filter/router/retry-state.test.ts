import { describe, expect, it } from 'vitest';
import { retryPolicy } from '../../../../test/support/resources.ts';
import { seededRandom } from '../../../base/random.ts';
import { MetricsRegistry } from '../../../telemetry/metrics/metrics.ts';
import { CircuitBreakers, createSharedCounterMemory, SharedCounters } from '../../cluster/cluster.ts';
import { CompiledRetryPolicy } from '../../route/route.ts';
import { ClusterCounters } from './cluster-counters.ts';
import { RetryState } from './retry-state.ts';

const counters = new ClusterCounters(new MetricsRegistry({ announce: () => undefined }), 'web');

function breakers(maxRetries: number): CircuitBreakers {
  const shared = new SharedCounters(createSharedCounterMemory(), createSharedCounterMemory());
  return new CircuitBreakers(shared, 1, {
    maxConnections: 1,
    maxPendingRequests: 1,
    maxRequests: 1,
    maxRetries,
    retryBudget: undefined,
    maxConnectionsPerHost: undefined,
  });
}

function stateWith(retryOn: string[], numRetries = 5): RetryState {
  const state = new RetryState();
  state.begin(new CompiledRetryPolicy(retryPolicy({ retryOn, numRetries })));
  return state;
}

describe('retries', () => {
  it('a failure earns one only where the policy names it; a full queue never does', () => {
    expect(stateWith(['connect-failure']).wantsRetryAfter('connectFailure')).toBe(true);
    expect(stateWith(['connect-failure']).wantsRetryAfter('connectTimeout')).toBe(true);
    expect(stateWith(['connect-failure']).wantsRetryAfter('connectionTermination')).toBe(false);
    expect(stateWith(['reset']).wantsRetryAfter('connectionTermination')).toBe(true);
    expect(stateWith(['reset', '5xx', 'connect-failure']).wantsRetryAfter('pendingOverflow')).toBe(false);
    const without = new RetryState();
    without.begin(undefined);
    expect(without.wantsRetryAfter('connectFailure')).toBe(false);
  });

  it('hold one place at a time and give it back', () => {
    const limits = breakers(1);
    const state = stateWith(['5xx'], 3);
    expect(state.tryTakePlace(limits, counters)).toBe(true);
    expect(state.tryTakePlace(limits, counters)).toBe(true);
    expect(limits.active('retries')).toBe(1);
    const other = stateWith(['5xx'], 3);
    expect(other.tryTakePlace(limits, counters)).toBe(false);
    state.releasePlace(limits);
    state.releasePlace(limits);
    expect(limits.active('retries')).toBe(0);
  });

  it('back off with full jitter, doubling up to the maximum', () => {
    const state = stateWith(['5xx']);
    const limits = breakers(10);
    const random = seededRandom(5);
    const spans = [25, 75, 175, 250, 250];
    for (const span of spans) {
      state.tryTakePlace(limits, counters);
      const waits = Array.from({ length: 500 }, () => state.backOffMs(random));
      expect(Math.max(...waits)).toBeLessThanOrEqual(span);
      expect(Math.max(...waits)).toBeGreaterThan(span * 0.95);
      expect(Math.min(...waits)).toBeLessThan(span * 0.05);
    }
  });

  it('row 69: the retry without a policy is for kept connections, once, and never for what may have been acted on', () => {
    const may = (method: string, isReused: boolean, hasReceived: boolean, hasSent: boolean): boolean =>
      stateWith([]).trySafeRetry(method, isReused, hasReceived, hasSent);
    expect(may('GET', true, false, true)).toBe(true);
    expect(may('POST', true, false, false)).toBe(true);
    expect(may('POST', true, false, true)).toBe(false);
    expect(may('PATCH', true, false, true)).toBe(false);
    expect(may('GET', false, false, true)).toBe(false);
    expect(may('GET', true, true, true)).toBe(false);
    const state = stateWith([]);
    expect(state.trySafeRetry('GET', true, false, true)).toBe(true);
    expect(state.trySafeRetry('GET', true, false, true)).toBe(false);
  });
});
