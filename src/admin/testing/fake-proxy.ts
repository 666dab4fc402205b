import { MergedMetrics, MetricsRegistry } from '../../telemetry/metrics/metrics.ts';
import { type Admin, type AdminActions, type AdminViews, type DumpedResource, startAdmin } from '../admin.ts';

export interface FakeProxy {
  readonly url: string;
  readonly port: number;
  /** What actions were asked for, in order. */
  readonly done: string[];
  /** Paths whose view failed. */
  readonly failures: string[];
}

const running: Admin[] = [];
const UPDATED_MS = Date.UTC(2026, 10, 22, 21, 16, 10);
function metrics(): MergedMetrics {
  const merged = new MergedMetrics();
  const registry = new MetricsRegistry({ announce: (batch) => merged.apply(0, batch) });
  registry.counter({ kind: 'cluster', name: 'web' }, 'upstream_rq_total').add(5);
  registry.gauge({ kind: 'server' }, 'live').set(1);
  registry.flush();
  return merged;
}

function dumped(changes: Partial<DumpedResource>): DumpedResource {
  return {
    name: 'web',
    source: 'dynamic',
    state: 'active',
    versionInfo: '7',
    lastUpdatedMs: UPDATED_MS,
    resource: { '@type': 'type.googleapis.com/x', name: 'web' },
    refused: undefined,
    ...changes,
  };
}

const HOST = {
  address: { kind: 'ip', host: '10.0.0.7', port: 8080 },
  hostname: '',
  weight: 2,
  priority: 0,
  locality: { region: 'eu', zone: 'a', subZone: '' },
  edsHealth: 'HEALTHY',
  failsActiveCheck: true,
  ejected: true,
  stats: {
    connectionsActive: 1,
    connectionsTotal: 2,
    connectFailures: 0,
    requestsActive: 3,
    requestsTotal: 4,
    requestsSucceeded: 5,
    requestsFailed: 6,
  },
} as const;

/** What a proxy with one cluster, one listener and a few secrets shows. */
export const VIEWS: AdminViews = {
  serverState: () => 'LIVE',
  serverInfo: () => ({
    version: '0.1<b>',
    uptimeMs: 5_900,
    node: { id: 'web-1' },
    commandLineOptions: { concurrency: 2 },
  }),
  configDump: () => ({
    bootstrap: {
      dynamic_resources: { ads_config: { initial_metadata: [{ key: 'x-consul-token', value: 'hush-1' }] } },
    },
    versions: { clusters: '7', listeners: '8' },
    clusters: [dumped({}), dumped({ name: 'local', source: 'static' }), dumped({ name: 'new', state: 'warming' })],
    listeners: [
      dumped({
        name: 'in',
        refused: { versionInfo: '9', lastAttemptMs: UPDATED_MS, details: 'filter_chains: empty' },
      }),
      dumped({ name: 'in', state: 'draining', versionInfo: '6' }),
    ],
    routes: [],
    endpoints: [dumped({})],
    secrets: [
      dumped({
        resource: {
          tls_certificate: {
            certificate_chain: { inline_string: 'public' },
            private_key: { inline_string: 'hush-2' },
            password: { filename: '/run/password' },
          },
        },
      }),
    ],
  }),
  clusters: () => [
    {
      name: 'web',
      addedViaApi: true,
      edsServiceName: 'web.dc1',
      thresholds: { maxConnections: 1024, maxPendingRequests: 1024, maxRequests: 1024, maxRetries: 3 },
      hosts: [HOST],
    },
  ],
  listeners: () => [{ name: 'in', address: { kind: 'ip', host: '::1', port: 80 } }],
  certificates: () => [
    {
      kind: 'chain',
      path: 'leaf',
      serialNumber: '01',
      subjectAlternativeUris: ['spiffe://weft/web'],
      validFromMs: 0,
      expiresMs: Date.UTC(2100, 0, 1),
    },
  ],
  metrics,
  logLevels: () => ({ root: 'info' }),
};

/** An admin server over it, and what it was made to do. Stopped by `stopAll`. */
export async function startFake(changes: Partial<AdminViews> = {}): Promise<FakeProxy> {
  const done: string[] = [];
  const failures: string[] = [];
  const actions: AdminActions = {
    setLogLevel: (logger, level) => {
      done.push(`${logger ?? 'all'} ${level}`);
      return level === 'debug';
    },
    drainListeners: (options) => done.push(`drain ${JSON.stringify(options)}`),
    setHealthCheckFailing: (failing) => done.push(`failing ${failing}`),
    quit: () => done.push('quit'),
  };
  const admin = await startAdmin({
    address: { kind: 'ip', host: '127.0.0.1', port: 0 },
    views: { ...VIEWS, ...changes },
    actions,
    failed: (path) => failures.push(path),
  });
  running.push(admin);
  const port = admin.address.kind === 'ip' ? admin.address.port : 0;
  return { url: `http://127.0.0.1:${port}`, port, done, failures };
}

/** Stops every server of this test. */
export async function stopAll(): Promise<void> {
  for (const admin of running.splice(0)) await admin.stop();
}
