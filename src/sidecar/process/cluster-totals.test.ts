import { expect, test } from 'vitest';
import { cluster } from '../../../test/support/resources.ts';
import { MergedMetrics, MetricsRegistry } from '../../telemetry/metrics/metrics.ts';
import { clusterTotals } from './cluster-totals.ts';

test('only clusters that want it are told of, with what all workers together have counted', () => {
  const metrics = new MergedMetrics();
  for (const thread of [1, 2]) {
    const registry = new MetricsRegistry({ announce: (announcements) => metrics.apply(thread, announcements) });
    for (const name of ['api', 'quiet']) {
      const scope = { kind: 'cluster', name } as const;
      registry.counter(scope, 'upstream_rq_total').add(5);
      registry.counter(scope, 'upstream_rq_completed').add(4);
      registry.counter(scope, 'upstream_rq_5xx').add(1);
      registry.gauge(scope, 'upstream_rq_active').add(1);
    }
    registry.flush();
  }
  const totals = clusterTotals([cluster('api', { reportsLoads: true }), cluster('quiet')], metrics);
  expect(totals).toMatchObject([{ cluster: 'api', issued: 10, successful: 6, failed: 2, dropped: 0, inProgress: 2 }]);
});
