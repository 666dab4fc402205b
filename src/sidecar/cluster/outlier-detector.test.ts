import { describe, expect, it } from 'vitest';
import { assignment, cluster, endpoint } from '../../../test/support/resources.ts';
import { systemClock } from '../../base/clock.ts';
import { seededRandom } from '../../base/random.ts';
import type { OutlierDetection } from '../../resource/cluster.ts';
import { ClusterSet } from './cluster-set.ts';
import type { Host } from './host.ts';
import { type Ejection, OutlierDetector } from './outlier-detector.ts';
import { PLAIN_PICK } from './runtime-cluster.ts';
import { createSharedCounterMemory, SharedCounters } from './shared-counters.ts';

const DETECTION: OutlierDetection = {
  consecutive5xx: 3,
  enforcingConsecutive5xxPercent: 100,
  consecutiveGatewayFailure: 2,
  enforcingConsecutiveGatewayFailurePercent: 0,
  intervalMs: 10_000,
  baseEjectionTimeMs: 30_000,
  maxEjectionTimeMs: 300_000,
  maxEjectionPercent: 50,
};

function setup(hostCount: number, detection: OutlierDetection = DETECTION) {
  const counters = new SharedCounters(createSharedCounterMemory(), createSharedCounterMemory());
  const clusters = new ClusterSet(counters, { clock: systemClock, random: seededRandom(1), hash64: () => 0n });
  const endpoints = Array.from({ length: hostCount }, (_, index) => endpoint(index + 1));
  clusters.upsert({ cluster: cluster('web', { outlierDetection: detection }), slot: 0 });
  clusters.assign({
    clusterName: 'web',
    assignment: assignment('web', endpoints),
    slots: new Map(endpoints.map((_, index) => [`127.0.0.1:${index + 1}`, index])),
  });
  const ejections: Ejection[] = [];
  const detector = new OutlierDetector(clusters, counters, (ejection) => ejections.push(ejection));
  const runtime = clusters.get('web');
  const hosts: readonly Host[] = runtime?.hosts ?? [];
  const report = (index: number, ...statuses: number[]): void => {
    const host = hosts[index];
    for (const status of statuses) if (host !== undefined) detector.report(host, status);
  };
  const assign = (health: 'healthy' | 'unhealthy'): void =>
    clusters.assign({
      clusterName: 'web',
      assignment: assignment('web', [endpoint(1, { healthStatus: health }), ...endpoints.slice(1)]),
      slots: new Map(endpoints.map((_, index) => [`127.0.0.1:${index + 1}`, index])),
    });
  return { runtime, ejections, report, assign };
}

describe('outlier detection', () => {
  it('ejects after as many failures in a row, and the next pick avoids the host', () => {
    const { runtime, ejections, report } = setup(4);
    report(0, 500, 503, 500);
    expect(ejections.map((ejection) => ejection.address)).toEqual(['127.0.0.1:1']);
    for (let pick = 0; pick < 20; pick++) expect(runtime?.pick(PLAIN_PICK)?.addressText).not.toBe('127.0.0.1:1');
  });

  it('an answer in between starts the count anew; 4xx are answers', () => {
    const { ejections, report } = setup(4);
    report(0, 500, 500, 404, 500, 500, 200);
    expect(ejections).toEqual([]);
  });

  it('counts no answer at all as a failure', () => {
    const { ejections, report } = setup(4);
    report(0, 0, 0, 0);
    expect(ejections).toHaveLength(1);
  });

  it('never has more than its share of hosts out, but one may always be', () => {
    const { ejections, report } = setup(4);
    for (const host of [0, 1, 2, 3]) report(host, 500, 500, 500);
    expect(ejections).toHaveLength(2);
    const alone = setup(2, { ...DETECTION, maxEjectionPercent: 10 });
    for (const host of [0, 1]) alone.report(host, 500, 500, 500);
    expect(alone.ejections).toHaveLength(1);
  });

  it('gateway failures count apart, where they are enforced', () => {
    const enforced = setup(4, {
      ...DETECTION,
      enforcingConsecutive5xxPercent: 0,
      enforcingConsecutiveGatewayFailurePercent: 100,
    });
    enforced.report(0, 503, 500, 503, 500);
    expect(enforced.ejections).toHaveLength(0);
    enforced.report(0, 503, 504);
    expect(enforced.ejections).toHaveLength(1);
  });

  it('ends when the control plane says that the host is well again', () => {
    const { runtime, ejections, report, assign } = setup(4);
    report(0, 500, 500, 500);
    expect(ejections).toHaveLength(1);
    assign('unhealthy');
    assign('healthy');
    const picked = new Set(Array.from({ length: 40 }, () => runtime?.pick(PLAIN_PICK)?.addressText));
    expect(picked.has('127.0.0.1:1')).toBe(true);
  });
});
