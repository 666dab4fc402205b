import { Gauge as PeerGauge, Registry } from 'prom-client';
import { afterEach, describe, expect, it } from 'vitest';
import { startFake, stopAll } from './testing/fake-proxy.ts';

afterEach(stopAll);

async function text(url: string, init?: RequestInit): Promise<string> {
  return (await fetch(url, init)).text();
}

async function json(url: string): Promise<unknown> {
  return (await fetch(url)).json();
}

describe('reading', () => {
  it('is ready while live, and says what else it is with 503', async () => {
    const live = await startFake();
    const draining = await startFake({ serverState: () => 'DRAINING' });
    expect(await text(`${live.url}/ready`)).toBe('LIVE\n');
    const response = await fetch(`${draining.url}/ready`);
    expect([response.status, await response.text()]).toEqual([503, 'DRAINING\n']);
  });

  it('tells about the server', async () => {
    const { url } = await startFake();
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
    const { url } = await startFake();
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
    const { url } = await startFake();
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
    const { url } = await startFake();
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
    const { url } = await startFake();
    const page = await text(url);
    expect(page).toContain('<h1>weft 0.1&lt;b&gt;</h1>');
    expect(page).toContain('<form method="post" action="/quitquitquit">');
    expect(page).not.toContain('<b>');
    expect(await text(`${url}/help`)).toContain('  /quitquitquit (POST): end this process\n');
    const unknown = await fetch(`${url}/nowhere?x=<script>`);
    expect([unknown.status, await unknown.text()]).toEqual([404, await text(`${url}/help`)]);
  });

  it('answers HEAD without a body and sends no CORS headers', async () => {
    const { url } = await startFake();
    const response = await fetch(`${url}/stats`, { method: 'HEAD', headers: { origin: 'https://evil.example' } });
    expect([response.status, await response.text()]).toEqual([200, '']);
    expect([...response.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
  });
});

describe('/config_dump', () => {
  it("has Envoy's sections and no secrets", async () => {
    const { url } = await startFake();
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
    const { url } = await startFake();
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
