import { Counter as PeerCounter, Gauge as PeerGauge, Histogram as PeerHistogram, Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { MergedMetrics, MetricsRegistry, prometheusText } from './metrics.ts';

const HOSTILE = 'we"b\\x\ny';

function render(fill: (registry: MetricsRegistry) => void): string {
  const merged = new MergedMetrics();
  const registry = new MetricsRegistry({ announce: (batch) => merged.apply(0, batch) });
  fill(registry);
  registry.flush();
  return [...prometheusText(merged)].join('');
}

/** Sample lines, label order and comments aside: what a reader of the format takes from it. */
function samples(text: string): readonly string[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#') && !line.includes('metrics_series_refused'))
    .map((line) => line.replace(/\{(.*)\}/, (_, labels: string) => `{${splitLabels(labels).toSorted().join(',')}}`))
    .toSorted();
}

function splitLabels(labels: string): readonly string[] {
  return labels.match(/[a-z_]+="(?:[^"\\]|\\.)*"/g) ?? [];
}

describe('the Prometheus exposition', () => {
  it('says what prom-client says for the same numbers, hostile label values included', async () => {
    const ours = render((registry) => {
      for (const name of ['web', HOSTILE]) {
        registry.counter({ kind: 'cluster', name }, 'upstream_rq_total').add(5);
        registry.gauge({ kind: 'cluster', name }, 'upstream_rq_active').set(2.5);
        const histogram = registry.histogram({ kind: 'cluster', name }, 'upstream_rq_time', [0.5, 10]);
        for (const value of [0.25, 3, 4, 1_000]) histogram.record(value);
      }
    });
    const peer = new Registry();
    const common = { help: 'x', labelNames: ['envoy_cluster_name'], registers: [peer] };
    const total = new PeerCounter({ ...common, name: 'envoy_cluster_upstream_rq_total' });
    const active = new PeerGauge({ ...common, name: 'envoy_cluster_upstream_rq_active' });
    const time = new PeerHistogram({ ...common, name: 'envoy_cluster_upstream_rq_time', buckets: [0.5, 10] });
    for (const name of ['web', HOSTILE]) {
      const labels = { envoy_cluster_name: name };
      total.inc(labels, 5);
      active.set(labels, 2.5);
      for (const value of [0.25, 3, 4, 1_000]) time.observe(labels, value);
    }
    expect(samples(ours)).toEqual(samples(await peer.metrics()));
  });

  it('names each family once, with its type, before its samples', () => {
    const text = render((registry) => {
      for (const name of ['a', 'b', 'c']) {
        registry.counter({ kind: 'cluster', name }, 'upstream_rq_200').increment();
        registry.counter({ kind: 'cluster', name }, 'upstream_rq_404').increment();
      }
    });
    expect(text.match(/# TYPE envoy_cluster_upstream_rq counter\n/g)).toHaveLength(1);
    expect(text).toContain('envoy_cluster_upstream_rq{envoy_response_code="404",envoy_cluster_name="c"} 1\n');
    const typeLines = text.split('\n').filter((line) => line.startsWith('# TYPE'));
    expect(new Set(typeLines).size).toBe(typeLines.length);
  });

  it('keeps a name that the format does not allow inside its alphabet', () => {
    const text = render((registry) => registry.counter({ kind: 'server' }, 'odd-name.ß').increment());
    expect(text).toContain('envoy_server_odd_name__ 1\n');
  });
});
