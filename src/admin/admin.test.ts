import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { Gauge as PeerGauge, Registry } from 'prom-client';
import { afterEach, describe, expect, it } from 'vitest';
import { MergedMetrics, MetricsRegistry } from '../telemetry/metrics/metrics.ts';
import { type Admin, type AdminActions, type AdminViews, type DumpedResource, startAdmin } from './admin.ts';

const UPDATED_MS = Date.UTC(2026, 10, 22, 21, 16, 10);
const running: Admin[] = [];

afterEach(async () => {
  for (const admin of running.splice(0)) await admin.stop();
});

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
    requestTimeouts: 7,
  },
} as const;

const VIEWS: AdminViews = {
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

async function start(
  changes: Partial<AdminViews> = {},
): Promise<{ url: string; port: number; done: string[]; failures: string[] }> {
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

async function text(url: string, init?: RequestInit): Promise<string> {
  return (await fetch(url, init)).text();
}

async function json(url: string): Promise<unknown> {
  return (await fetch(url)).json();
}

/** fetch sets Host itself; a rebinding browser does not ask it. */
function statusWithHeaders(
  port: number,
  method: string,
  path: string,
  headers: Record<string, string>,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port, method, path, headers }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0));
    });
    request.on('error', reject).end();
  });
}

describe('reading', () => {
  it('is ready while live, and says what else it is with 503', async () => {
    const live = await start();
    const draining = await start({ serverState: () => 'DRAINING' });
    expect(await text(`${live.url}/ready`)).toBe('LIVE\n');
    const response = await fetch(`${draining.url}/ready`);
    expect([response.status, await response.text()]).toEqual([503, 'DRAINING\n']);
  });

  it('tells about the server', async () => {
    const { url } = await start();
    expect(await json(`${url}/server_info`)).toEqual({
      version: '0.1<b>',
      state: 'LIVE',
      uptime_current_epoch: '5s',
      uptime_all_epochs: '5s',
      hot_restart_version: 'disabled',
      command_line_options: { concurrency: 2 },
      node: { id: 'web-1' },
    });
    expect(await json(`${url}/memory`)).toMatchObject({ allocated: expect.stringMatching(/^[1-9]\d*$/) });
    expect(await json(`${url}/certs`)).toMatchObject({
      certificates: [{ cert_chain: [{ path: 'leaf', subject_alt_names: [{ uri: 'spiffe://weft/web' }] }] }],
    });
  });

  it("lists clusters as Envoy's text", async () => {
    const { url } = await start();
    expect((await text(`${url}/clusters`)).split('\n')).toEqual([
      'web::observability_name::web',
      'web::default_priority::max_connections::1024',
      'web::default_priority::max_pending_requests::1024',
      'web::default_priority::max_requests::1024',
      'web::default_priority::max_retries::3',
      'web::added_via_api::true',
      'web::eds_service_name::web.dc1',
      'web::10.0.0.7:8080::cx_active::1',
      'web::10.0.0.7:8080::cx_connect_fail::0',
      'web::10.0.0.7:8080::cx_total::2',
      'web::10.0.0.7:8080::rq_active::3',
      'web::10.0.0.7:8080::rq_error::6',
      'web::10.0.0.7:8080::rq_success::5',
      'web::10.0.0.7:8080::rq_timeout::7',
      'web::10.0.0.7:8080::rq_total::4',
      'web::10.0.0.7:8080::hostname::',
      'web::10.0.0.7:8080::health_flags::/failed_active_hc/failed_outlier_check',
      'web::10.0.0.7:8080::weight::2',
      'web::10.0.0.7:8080::region::eu',
      'web::10.0.0.7:8080::zone::a',
      'web::10.0.0.7:8080::sub_zone::',
      'web::10.0.0.7:8080::canary::false',
      'web::10.0.0.7:8080::priority::0',
      'web::10.0.0.7:8080::success_rate::-1',
      'web::10.0.0.7:8080::local_origin_success_rate::-1',
      '',
    ]);
  });

  it("lists clusters and listeners as Envoy's JSON", async () => {
    const { url } = await start();
    expect(await json(`${url}/clusters?format=json`)).toMatchObject({
      cluster_statuses: [
        {
          name: 'web',
          added_via_api: true,
          host_statuses: [
            {
              address: { socket_address: { address: '10.0.0.7', port_value: 8080 } },
              stats: expect.arrayContaining([
                { name: 'cx_connect_fail' },
                { name: 'rq_total', value: '4' },
                { type: 'GAUGE', name: 'rq_active', value: '3' },
              ]),
              health_status: {
                failed_active_health_check: true,
                failed_outlier_check: true,
                eds_health_status: 'HEALTHY',
              },
            },
          ],
        },
      ],
    });
    expect(await text(`${url}/listeners`)).toBe('in::[::1]:80\n');
    expect(await json(`${url}/listeners?format=json`)).toEqual({
      listener_statuses: [{ name: 'in', local_address: { socket_address: { address: '::1', port_value: 80 } } }],
    });
  });

  it('gives statistics in three forms, selected by the query', async () => {
    const { url } = await start();
    expect(await text(`${url}/stats?filter=rq_total$`)).toBe('cluster.web.upstream_rq_total: 5\n');
    expect(await text(`${url}/stats?usedonly&type=Gauges`)).toBe('server.live: 1\n');
    expect(await json(`${url}/stats?format=json&filter=live`)).toEqual({ stats: [{ name: 'server.live', value: 1 }] });
    const response = await fetch(`${url}/stats/prometheus?filter=live`);
    const peer = new Registry();
    new PeerGauge({ name: 'envoy_server_live', help: 'x', registers: [peer] }).set(1);
    expect(response.headers.get('content-type')).toBe(peer.contentType);
    expect(await response.text()).toBe((await peer.metrics()).replace('# HELP envoy_server_live x\n', '').trimStart());
    for (const query of ['filter=(', 'format=xml', 'type=None', 'type=__proto__']) {
      expect((await fetch(`${url}/stats?${query}`)).status, query).toBe(400);
    }
  });

  it('lists its paths for people, escaped, and for scripts', async () => {
    const { url } = await start();
    const page = await text(url);
    expect(page).toContain('<h1>weft 0.1&lt;b&gt;</h1>');
    expect(page).toContain('<form method="post" action="/quitquitquit">');
    expect(page).not.toContain('<b>');
    expect(await text(`${url}/help`)).toContain('  /quitquitquit (POST): end this process\n');
    const unknown = await fetch(`${url}/nowhere?x=<script>`);
    expect([unknown.status, await unknown.text()]).toEqual([404, await text(`${url}/help`)]);
  });

  it('answers HEAD without a body and sends no CORS headers', async () => {
    const { url } = await start();
    const response = await fetch(`${url}/stats`, { method: 'HEAD', headers: { origin: 'https://evil.example' } });
    expect([response.status, await response.text()]).toEqual([200, '']);
    expect([...response.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
  });
});

describe('/config_dump', () => {
  it("has Envoy's sections and no secrets", async () => {
    const { url } = await start();
    const dump = await text(`${url}/config_dump`);
    expect(dump).not.toContain('hush');
    const last_updated = '2026-11-22T21:16:10.000Z';
    expect(JSON.parse(dump)).toEqual({
      configs: [
        {
          '@type': 'type.googleapis.com/envoy.admin.v3.BootstrapConfigDump',
          bootstrap: {
            dynamic_resources: { ads_config: { initial_metadata: [{ key: 'x-consul-token', value: '[redacted]' }] } },
          },
        },
        {
          '@type': 'type.googleapis.com/envoy.admin.v3.ClustersConfigDump',
          version_info: '7',
          static_clusters: [{ cluster: { '@type': 'type.googleapis.com/x', name: 'web' }, last_updated }],
          dynamic_active_clusters: [
            { version_info: '7', cluster: { '@type': 'type.googleapis.com/x', name: 'web' }, last_updated },
          ],
          dynamic_warming_clusters: [
            { version_info: '7', cluster: { '@type': 'type.googleapis.com/x', name: 'web' }, last_updated },
          ],
        },
        {
          '@type': 'type.googleapis.com/envoy.admin.v3.ListenersConfigDump',
          version_info: '8',
          static_listeners: [],
          dynamic_listeners: [
            {
              name: 'in',
              active_state: expect.objectContaining({ version_info: '7', last_updated }),
              draining_state: expect.objectContaining({ version_info: '6' }),
              error_state: { last_update_attempt: last_updated, details: 'filter_chains: empty', version_info: '9' },
            },
          ],
        },
        {
          '@type': 'type.googleapis.com/envoy.admin.v3.RoutesConfigDump',
          static_route_configs: [],
          dynamic_route_configs: [],
        },
        {
          '@type': 'type.googleapis.com/envoy.admin.v3.SecretsConfigDump',
          dynamic_active_secrets: [
            {
              name: 'web',
              version_info: '7',
              secret: {
                tls_certificate: {
                  certificate_chain: { inline_string: 'public' },
                  private_key: { inline_string: '[redacted]' },
                  password: { filename: '/run/password' },
                },
              },
              last_updated,
            },
          ],
        },
      ],
    });
  });

  it('shows one list, by name, and endpoints where they are asked for', async () => {
    const { url } = await start();
    expect(await json(`${url}/config_dump?resource=dynamic_active_clusters&name_regex=^w`)).toMatchObject({
      configs: [{ version_info: '7' }],
    });
    expect(await json(`${url}/config_dump?resource=dynamic_active_clusters&name_regex=^nothing`)).toEqual({
      configs: [],
    });
    expect(await text(`${url}/config_dump?include_eds`)).toContain('EndpointsConfigDump');
    expect(await json(`${url}/config_dump?resource=dynamic_endpoint_configs`)).toMatchObject({
      configs: [{ endpoint_config: { name: 'web' } }],
    });
    for (const query of ['resource=nonsense', 'name_regex=(', 'mask=bootstrap']) {
      expect((await fetch(`${url}/config_dump?${query}`)).status, query).toBe(400);
    }
  });
});

describe('changing something', () => {
  it('takes POST only', async () => {
    const { url, done } = await start();
    for (const path of ['/quitquitquit', '/drain_listeners', '/healthcheck/fail', '/logging?level=debug']) {
      expect((await fetch(url + path)).status, path).toBe(405);
    }
    expect((await fetch(`${url}/ready`, { method: 'POST' })).status).toBe(405);
    expect(done).toEqual([]);
  });

  it('does what the path says', async () => {
    const { url, done } = await start();
    const post = (path: string): Promise<string> => text(url + path, { method: 'POST' });
    expect(await post('/healthcheck/fail')).toBe('OK\n');
    await post('/healthcheck/ok');
    await post('/drain_listeners?inboundonly');
    await post('/drain_listeners?graceful&skip_exit');
    expect(await post('/drain_listeners?skip_exit')).toBe('skip_exit requires graceful\n');
    expect(await post('/logging?level=debug')).toBe('active loggers:\n  root: info\n');
    await post('/logging?paths=xds:debug,http:warning');
    await post('/quitquitquit');
    expect(done).toEqual([
      'failing true',
      'failing false',
      'drain {"inboundOnly":true,"graceful":false,"skipExit":false}',
      'drain {"inboundOnly":false,"graceful":true,"skipExit":true}',
      'all debug',
      'xds debug',
      'http warn',
      'quit',
    ]);
  });

  it('names a logger or level that does not exist', async () => {
    const { url } = await start();
    const response = await fetch(`${url}/logging?xds=loud`, { method: 'POST' });
    expect([response.status, await response.text()]).toEqual([
      400,
      expect.stringContaining('no logger "xds" or no level "loud"\nlevels: trace, debug'),
    ]);
  });
});

describe('the guard', () => {
  it.each([
    ['an address', { host: '127.0.0.1:19000' }, 200],
    ['an IPv6 address', { host: '[::1]:19000' }, 200],
    ['localhost', { host: 'LocalHost' }, 200],
    ['a rebound name', { host: 'evil.example' }, 403],
    ['a name that begins like an address', { host: '127.0.0.1.evil.example' }, 403],
    ['a name that ends like localhost', { host: 'evil-localhost:80' }, 403],
  ])('reads by %s', async (_, headers, status) => {
    const { port } = await start();
    expect(await statusWithHeaders(port, 'GET', '/ready', headers)).toBe(status);
  });

  it.each([
    ['another origin', { host: 'localhost', origin: 'https://evil.example' }, 403],
    ['a hidden origin', { host: 'localhost', origin: 'null' }, 403],
    ['another site', { host: 'localhost', 'sec-fetch-site': 'cross-site' }, 403],
    ['its own page', { host: 'localhost', origin: 'http://localhost', 'sec-fetch-site': 'same-origin' }, 200],
    ['a script', { host: 'localhost' }, 200],
  ])('changes something for %s', async (_, headers, status) => {
    const { port, done } = await start();
    expect(await statusWithHeaders(port, 'POST', '/quitquitquit', headers)).toBe(status);
    expect(done).toEqual(status === 200 ? ['quit'] : []);
  });

  it('cuts a body beyond its bound', async () => {
    const { port } = await start();
    await new Promise<void>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => {});
      socket.on('close', () => resolve());
      socket.write('POST /logging HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100000000\r\n\r\n');
      const chunk = Buffer.alloc(65_536);
      const more = (): void => {
        while (!socket.destroyed && socket.write(chunk));
        if (!socket.destroyed) socket.once('drain', more);
      };
      more();
    });
  });

  it('outlives a view that fails, and says where', async () => {
    const { url, failures } = await start({
      clusters: () => {
        throw new Error('secret detail');
      },
    });
    const response = await fetch(`${url}/clusters`);
    expect([response.status, await response.text()]).toEqual([500, '/clusters failed; the log says why\n']);
    expect(failures).toEqual(['/clusters']);
    expect(await text(`${url}/ready`)).toBe('LIVE\n');
  });
});

it('names the address and the fix where the port is taken', async () => {
  const { port } = await start();
  const again = startAdmin({
    address: { kind: 'ip', host: '127.0.0.1', port },
    views: VIEWS,
    actions: { setLogLevel: () => true, drainListeners: () => {}, setHealthCheckFailing: () => {}, quit: () => {} },
  });
  await expect(again).rejects.toThrow(
    new RegExp(
      `admin server cannot listen on 127\\.0\\.0\\.1:${port}: .*EADDRINUSE.*; another process has it; choose another`,
    ),
  );
});
