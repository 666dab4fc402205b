import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeTempDirectory } from '../peers/support/temp-directory.ts';
import { weft } from './support/child-program.ts';
import { ask } from './support/exchange.ts';
import { freePort } from './support/free-ports.ts';
import { startOrigin } from './support/origin.ts';

/** As a person writes it, in Envoy's documentation's own style. */
const yaml = (listenPort: number, appPort: number): string => `
admin:
  address:
    socket_address: { address: 127.0.0.1, port_value: 0 }
stats_sinks:
  - name: envoy.stat_sinks.statsd
static_resources:
  listeners:
    - name: listener_0
      address:
        socket_address: { address: 127.0.0.1, port_value: ${listenPort} }
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: ingress_http
                codec_type: AUTO
                route_config:
                  name: local_route
                  virtual_hosts:
                    - name: local_service
                      domains: ["*"]
                      routes:
                        - match: { prefix: "/v1/" }
                          route: { cluster: service, prefix_rewrite: "/" }
                        - match: { prefix: "/" }
                          direct_response: { status: 404, body: { inline_string: "no such thing" } }
                http_filters:
                  - name: envoy.filters.http.router
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
  clusters:
    - name: service
      connect_timeout: 0.25s
      type: STRICT_DNS
      lb_policy: ROUND_ROBIN
      load_assignment:
        cluster_name: service
        endpoints:
          - lb_endpoints:
              - endpoint:
                  address:
                    socket_address: { address: localhost, port_value: ${appPort} }
`;

test('a sidecar with an Envoy bootstrap of static resources in YAML carries traffic, and says what of it has no effect', async () => {
  const directory = makeTempDirectory('static-bootstrap');
  const app = await startOrigin({ service: 'service', instance: 'service-1' });
  try {
    const listenPort = await freePort();
    const file = join(directory.path, 'envoy.yaml');
    writeFileSync(file, yaml(listenPort, app.port));
    await using sidecar = weft(['sidecar', '--bootstrap', file, '--concurrency', '1'], {
      OTEL_TRACES_EXPORTER: 'none',
    });
    await sidecar.said(/admin on (http:\S+)/);
    expect((await ask({ port: listenPort, path: '/v1/things' })).origin.url).toBe('/things');
    expect(await ask({ port: listenPort, path: '/v2' })).toMatchObject({ status: 404, text: 'no such thing' });
    expect(sidecar.output).toMatch(/stats_sinks has no effect/);
  } finally {
    await app.stop();
    directory.remove();
  }
});
