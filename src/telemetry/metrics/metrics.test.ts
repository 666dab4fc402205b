import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { ALL_STATS, compileStatFilter, MergedMetrics, MetricsRegistry, prometheusName, statName } from './metrics.ts';
import { statsJson, statsText } from './stats-text.ts';

const web = { kind: 'cluster', name: 'web' } as const;

function pair(maxSeries?: number): { registry: MetricsRegistry; merged: MergedMetrics } {
  const merged = new MergedMetrics();
  const registry = new MetricsRegistry({
    announce: (announcements) => merged.apply(1, announcements),
    ...(maxSeries === undefined ? {} : { maxSeries }),
  });
  return { registry, merged };
}

describe('a registry', () => {
  it('gives the same handle for the same scope and name, and counts through it', () => {
    const { registry, merged } = pair();
    registry.counter(web, 'upstream_rq_total').increment();
    registry.counter(web, 'upstream_rq_total').add(4);
    registry.flush();
    expect(merged.value(web, 'upstream_rq_total')).toBe(5);
    expect(registry.counter(web, 'upstream_rq_total').value).toBe(5);
  });

  it('refuses one name with two kinds, and buckets that do not ascend', () => {
    const { registry } = pair();
    registry.counter(web, 'x');
    expect(() => registry.gauge(web, 'x')).toThrow('cluster.web.x is a counter, asked for as a gauge');
    expect(() => registry.histogram(web, 'h', [1, 1])).toThrow('ascending');
    expect(() => registry.histogram(web, 'h', [])).toThrow('ascending');
  });

  it('announces blocks before the series in them, once per turn', async () => {
    const batches: string[][] = [];
    const registry = new MetricsRegistry({ announce: (batch) => batches.push(batch.map(({ kind }) => kind)) });
    registry.counter(web, 'a');
    registry.gauge(web, 'b');
    await Promise.resolve();
    expect(batches).toEqual([['block', 'series', 'series', 'series']]);
  });

  it('grows in blocks and keeps every earlier count', () => {
    const { registry, merged } = pair();
    const counters = Array.from({ length: 5_000 }, (_, index) => registry.counter(web, `c${index}`));
    counters.forEach((counter, index) => {
      counter.add(index);
    });
    registry.flush();
    expect(merged.value(web, 'c0')).toBe(0);
    expect(merged.value(web, 'c4999')).toBe(4_999);
  });

  it('sends series beyond the bound to one overflow series and counts them', () => {
    const { registry, merged } = pair(3);
    registry.counter(web, 'a').increment();
    registry.counter(web, 'b').increment();
    registry.counter(web, 'c').increment();
    registry.counter(web, 'd').add(2);
    registry.histogram(web, 'e').record(1);
    registry.flush();
    expect(merged.value({ kind: 'weft' }, 'metrics_overflow_counter')).toBe(3);
    expect(merged.value({ kind: 'weft' }, 'metrics_series_refused')).toBe(3);
    expect(merged.value(web, 'd')).toBe(0);
  });

  it('forgets a removed scope, and a handle still held then writes to nowhere', () => {
    const { registry, merged } = pair();
    const held = registry.counter(web, 'a');
    held.add(7);
    registry.removeScope(web);
    const api = registry.counter({ kind: 'cluster', name: 'api' }, 'a');
    held.add(100);
    api.increment();
    registry.flush();
    expect([...merged.read()].map(({ name }) => name)).not.toContain('cluster.web.a');
    expect(merged.value({ kind: 'cluster', name: 'api' }, 'a')).toBe(1);
    expect(registry.counter(web, 'a').value).toBe(0);
  });

  it('does not take a scope for another whose name begins alike', () => {
    const { registry, merged } = pair();
    registry.counter({ kind: 'cluster', name: 'web.eu' }, 'a').increment();
    registry.counter(web, 'a').increment();
    registry.removeScope(web);
    registry.flush();
    expect(merged.value({ kind: 'cluster', name: 'web.eu' }, 'a')).toBe(1);
  });

  it('puts each value into the first bucket whose bound is not below it', () => {
    const { registry, merged } = pair();
    const histogram = registry.histogram(web, 'h', [1, 10]);
    for (const value of [0, 1, 1.5, 10, 11, Number.NaN]) histogram.record(value);
    registry.flush();
    const reading = [...merged.read()].find(({ name }) => name === 'cluster.web.h');
    expect([...(reading?.values ?? [])].slice(1)).toEqual([2, 2, 2]);
  });
});

describe('merging threads', () => {
  it('adds counters and gauges up, keeps the counters of an ended thread and drops its gauges', () => {
    const merged = new MergedMetrics();
    const threads = [1, 2].map((thread) => {
      const registry = new MetricsRegistry({ announce: (batch) => merged.apply(thread, batch) });
      registry.counter(web, 'total').add(10 * thread);
      registry.gauge(web, 'active').set(thread);
      registry.flush();
      return registry;
    });
    expect(threads).toHaveLength(2);
    expect(merged.value(web, 'total')).toBe(30);
    expect(merged.value(web, 'active')).toBe(3);
    merged.threadEnded(2);
    expect(merged.value(web, 'total')).toBe(30);
    expect(merged.value(web, 'active')).toBe(1);
    const again = new MetricsRegistry({ announce: (batch) => merged.apply(2, batch) });
    again.counter(web, 'total').increment();
    again.flush();
    expect(merged.value(web, 'total')).toBe(31);
  });

  it('reads what a worker thread counts without asking it', async () => {
    const merged = new MergedMetrics();
    const door = new URL('./metrics.ts', import.meta.url).href;
    const source = `
      import { parentPort } from 'node:worker_threads';
      const { MetricsRegistry } = await import(${JSON.stringify(door)});
      const registry = new MetricsRegistry({ announce: (batch) => parentPort.postMessage(batch) });
      const counter = registry.counter({ kind: 'server' }, 'hits');
      registry.flush();
      parentPort.once('message', () => { counter.add(42); parentPort.postMessage('done'); });
    `;
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`));
    try {
      merged.apply(1, await nextMessage(worker));
      expect(merged.value({ kind: 'server' }, 'hits')).toBe(0);
      const done = nextMessage(worker);
      worker.postMessage('go');
      await done;
      expect(merged.value({ kind: 'server' }, 'hits')).toBe(42);
    } finally {
      await worker.terminate();
    }
  });

  it('counts a series that another thread has as another kind instead of mixing them', () => {
    const merged = new MergedMetrics();
    const first = new MetricsRegistry({ announce: (batch) => merged.apply(1, batch) });
    const second = new MetricsRegistry({ announce: (batch) => merged.apply(2, batch) });
    first.counter(web, 'x').increment();
    second.gauge(web, 'x').set(9);
    first.flush();
    second.flush();
    expect(merged.value(web, 'x')).toBe(1);
    expect(merged.conflicts).toBe(1);
  });
});

describe("Envoy's names", () => {
  it.each([
    [
      web,
      'upstream_rq_total',
      'cluster.web.upstream_rq_total',
      'envoy_cluster_upstream_rq_total',
      [['envoy_cluster_name', 'web']],
    ],
    [
      web,
      'upstream_rq_5xx',
      'cluster.web.upstream_rq_5xx',
      'envoy_cluster_upstream_rq_xx',
      [
        ['envoy_response_code_class', '5'],
        ['envoy_cluster_name', 'web'],
      ],
    ],
    [
      web,
      'upstream_rq_503',
      'cluster.web.upstream_rq_503',
      'envoy_cluster_upstream_rq',
      [
        ['envoy_response_code', '503'],
        ['envoy_cluster_name', 'web'],
      ],
    ],
    [
      { kind: 'http', name: 'in' },
      'downstream_rq_2xx',
      'http.in.downstream_rq_2xx',
      'envoy_http_downstream_rq_xx',
      [
        ['envoy_response_code_class', '2'],
        ['envoy_http_conn_manager_prefix', 'in'],
      ],
    ],
    [
      { kind: 'listener', name: '[::1]:80' },
      'downstream_cx_total',
      'listener.[__1]_80.downstream_cx_total',
      'envoy_listener_downstream_cx_total',
      [['envoy_listener_address', '[__1]_80']],
    ],
    [{ kind: 'server' }, 'uptime', 'server.uptime', 'envoy_server_uptime', []],
    [
      { kind: 'clusterManager' },
      'cds.update_success',
      'cluster_manager.cds.update_success',
      'envoy_cluster_manager_cds_update_success',
      [],
    ],
    [{ kind: 'xds' }, 'connected_state', 'control_plane.connected_state', 'envoy_control_plane_connected_state', []],
  ] as const)('%o %s', (scope, metric, stat, family, labels) => {
    expect(statName(scope, metric)).toBe(stat);
    expect(prometheusName(scope, metric)).toEqual({ family, labels });
  });
});

describe('/stats', () => {
  function sample(): MergedMetrics {
    const { registry, merged } = pair();
    registry.counter(web, 'upstream_rq_total').add(5);
    registry.gauge(web, 'upstream_rq_active').set(2);
    registry.counter({ kind: 'server' }, 'unused');
    const histogram = registry.histogram(web, 'upstream_rq_time', [1, 10, 100]);
    for (let index = 0; index < 100; index += 1) histogram.record(5);
    registry.histogram(web, 'empty', [1]);
    registry.flush();
    return merged;
  }

  it('prints one line per series by name, histograms last with quantiles', () => {
    const lines = [...statsText(sample())].join('').split('\n');
    expect(lines).toEqual([
      'cluster.web.upstream_rq_active: 2',
      'cluster.web.upstream_rq_total: 5',
      'server.unused: 0',
      'weft.metrics_series_refused: 0',
      'cluster.web.empty: No recorded values',
      'cluster.web.upstream_rq_time: P0(nan,1) P25(nan,3.25) P50(nan,5.5) P75(nan,7.75) P90(nan,9.1) P95(nan,9.55) P99(nan,9.91) P99.5(nan,9.955) P99.9(nan,9.991) P100(nan,10)',
      '',
    ]);
  });

  it('selects by name, kind and use', () => {
    const filter = compileStatFilter('^cluster\\.web\\..*_total$');
    if (!filter.ok) throw new Error(filter.message);
    const text = (selection: Parameters<typeof statsText>[1]): string => [...statsText(sample(), selection)].join('');
    expect(text({ ...ALL_STATS, matches: filter.matches })).toBe('cluster.web.upstream_rq_total: 5\n');
    expect(text({ ...ALL_STATS, kind: 'gauge' })).toBe('cluster.web.upstream_rq_active: 2\n');
    expect(text({ ...ALL_STATS, usedOnly: true })).not.toContain('unused');
    expect(compileStatFilter('(')).toMatchObject({ ok: false });
  });

  it('is valid JSON in the JSON form', () => {
    const parsed: unknown = JSON.parse([...statsJson(sample())].join(''));
    expect(parsed).toMatchObject({
      stats: expect.arrayContaining([
        { name: 'cluster.web.upstream_rq_total', value: 5 },
        { histograms: expect.objectContaining({ supported_quantiles: [0, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 100] }) },
      ]),
    });
  });
});

function nextMessage<T>(worker: Worker): Promise<T> {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}
