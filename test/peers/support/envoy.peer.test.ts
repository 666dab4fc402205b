import { expect, test } from 'vitest';
import { startEnvoy } from './envoy.ts';
import { describeWithPeer } from './peer.ts';

const BOOTSTRAP = `
static_resources:
  listeners:
  - name: web
    address: { socket_address: { address: 127.0.0.1, port_value: 0 } }
    filter_chains:
    - filters:
      - name: hcm
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: web
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: { prefix: / }
                direct_response: { status: 418, body: { inline_string: teapot } }
          http_filters:
          - name: router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
`;

describeWithPeer('envoy', 'real Envoy', () => {
  test('serves the listener of a bootstrap', async () => {
    await using envoy = await startEnvoy(BOOTSTRAP);
    const response = await fetch(`http://${await envoy.listenerAddress('web')}/`);
    expect(response.status).toBe(418);
    expect(await response.text()).toBe('teapot');
    expect(await envoy.listenerAddress('missing')).toBeUndefined();
  });

  test('a bootstrap that it refuses is reported with the end of its log', async () => {
    await expect(startEnvoy('no_such_field: 1')).rejects.toThrow(/envoy ended before it was ready[\s\S]*no_such_field/);
  });
});
