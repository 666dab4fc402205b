import type { Cluster } from '../../resource/cluster.ts';
import type { MergedMetrics } from '../../telemetry/metrics/metrics.ts';
import type { ClusterTotals } from '../../xds/client/client.ts';

/** What was sent to each cluster that wants its loads reported, as all workers count it. */
export function clusterTotals(clusters: Iterable<Cluster>, metrics: MergedMetrics): readonly ClusterTotals[] {
  return [...clusters]
    .filter(({ reportsLoads }) => reportsLoads === true)
    .map(({ name, discovery }) => {
      const count = (metric: string): number => metrics.value({ kind: 'cluster', name }, metric);
      const completed = count('upstream_rq_completed');
      const failed = count('upstream_rq_5xx');
      return {
        cluster: name,
        serviceName: discovery.kind === 'eds' ? discovery.serviceName : '',
        issued: count('upstream_rq_total'),
        successful: Math.max(0, completed - failed),
        failed,
        dropped: count('upstream_rq_overflow'),
        inProgress: count('upstream_rq_active'),
      };
    });
}
