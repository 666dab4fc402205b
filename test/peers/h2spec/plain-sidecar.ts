import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { weft } from '../../mesh/support/child-program.ts';
import { type Pair, TestAuthority } from '../../support/certificates.ts';
import { pickFreePorts } from '../support/free-ports.ts';
import { makeTempDirectory } from '../support/temp-directory.ts';

const TYPE = 'type.googleapis.com/';

/** Over TLS the codec type is AUTO, and ALPN says which protocol it is. */
const LISTENERS = ['HTTP2', 'AUTO', 'TLS'] as const;
type ListenerName = (typeof LISTENERS)[number];

/** A sidecar as anyone starts it, with a listener for each way to HTTP/2 and an HTTP/1.1 app behind them. */
export interface PlainSidecar extends AsyncDisposable {
  readonly ports: Readonly<Record<ListenerName, number>>;
}

export async function startPlainSidecar(): Promise<PlainSidecar> {
  const app = createServer((request, response) => {
    request.resume();
    request.on('end', () => response.end('hello'));
    request.on('error', () => response.destroy());
  });
  await once(app.listen(0, '127.0.0.1'), 'listening');
  const ports = await pickFreePorts(...LISTENERS);
  const directory = makeTempDirectory('plain-sidecar');
  const config = join(directory.path, 'bootstrap.json');
  const pair = await (await TestAuthority.create()).issue();
  writeFileSync(config, JSON.stringify(bootstrap(ports, (app.address() as AddressInfo).port, pair)));
  const sidecar = weft(['sidecar', '--bootstrap', config, '--no-state', '--admin', '127.0.0.1:0']);
  const [, admin = ''] = await sidecar.said(/admin on (http:\S+)/);
  for (let isReady = false; !isReady; ) isReady = (await fetch(`${admin}/ready`)).ok;
  return {
    ports,
    [Symbol.asyncDispose]: async () => {
      await sidecar.stop();
      app.closeAllConnections();
      app.close();
      directory.remove();
    },
  };
}

function bootstrap(ports: PlainSidecar['ports'], appPort: number, pair: Pair): unknown {
  return {
    node: { id: 'plain', cluster: 'plain' },
    static_resources: {
      listeners: LISTENERS.map((name) => listener(name, ports[name], pair)),
      clusters: [
        {
          name: 'app',
          type: 'STATIC',
          load_assignment: {
            cluster_name: 'app',
            endpoints: [{ lb_endpoints: [{ endpoint: { address: socketAddress(appPort) } }] }],
          },
        },
      ],
    },
  };
}

function listener(name: ListenerName, port: number, pair: Pair): unknown {
  const routes = [{ match: { prefix: '/' }, route: { cluster: 'app' } }];
  return {
    name,
    address: socketAddress(port),
    filter_chains: [
      {
        ...(name === 'TLS' ? { transport_socket: tlsWithAlpn(pair) } : {}),
        filters: [
          {
            name: 'http',
            typed_config: {
              '@type': `${TYPE}envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
              stat_prefix: name,
              codec_type: name === 'TLS' ? 'AUTO' : name,
              route_config: { name: 'all', virtual_hosts: [{ name: 'all', domains: ['*'], routes }] },
              http_filters: [
                {
                  name: 'router',
                  typed_config: { '@type': `${TYPE}envoy.extensions.filters.http.router.v3.Router` },
                },
              ],
            },
          },
        ],
      },
    ],
  };
}

function tlsWithAlpn({ certificatePem, keyPem }: Pair): unknown {
  const certificate = { certificate_chain: { inline_string: certificatePem }, private_key: { inline_string: keyPem } };
  return {
    name: 'tls',
    typed_config: {
      '@type': `${TYPE}envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext`,
      common_tls_context: { alpn_protocols: ['h2', 'http/1.1'], tls_certificates: [certificate] },
    },
  };
}

function socketAddress(port: number): unknown {
  return { socket_address: { address: '127.0.0.1', port_value: port } };
}
