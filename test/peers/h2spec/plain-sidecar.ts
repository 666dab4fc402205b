import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { weft } from '../../mesh/support/child-program.ts';
import { pickFreePorts } from '../support/free-ports.ts';
import { makeTempDirectory } from '../support/temp-directory.ts';

const TYPE = 'type.googleapis.com/';

/** A sidecar as anyone starts it, with a listener for each codec type and an HTTP/1.1 app behind them. */
export interface PlainSidecar extends AsyncDisposable {
  readonly ports: Readonly<Record<'HTTP2' | 'AUTO', number>>;
}

export async function startPlainSidecar(): Promise<PlainSidecar> {
  const app = createServer((request, response) => {
    request.resume();
    request.on('end', () => response.end('hello'));
    request.on('error', () => response.destroy());
  });
  await once(app.listen(0, '127.0.0.1'), 'listening');
  const ports = await pickFreePorts('HTTP2', 'AUTO');
  const directory = makeTempDirectory('plain-sidecar');
  const config = join(directory.path, 'bootstrap.json');
  writeFileSync(config, JSON.stringify(bootstrap(ports, (app.address() as AddressInfo).port)));
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

function bootstrap(ports: PlainSidecar['ports'], appPort: number): unknown {
  return {
    node: { id: 'plain', cluster: 'plain' },
    static_resources: {
      listeners: (['HTTP2', 'AUTO'] as const).map((codecType) => listener(codecType, ports[codecType])),
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

function listener(codecType: string, port: number): unknown {
  const routes = [{ match: { prefix: '/' }, route: { cluster: 'app' } }];
  return {
    name: codecType,
    address: socketAddress(port),
    filter_chains: [
      {
        filters: [
          {
            name: 'http',
            typed_config: {
              '@type': `${TYPE}envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
              stat_prefix: codecType,
              codec_type: codecType,
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

function socketAddress(port: number): unknown {
  return { socket_address: { address: '127.0.0.1', port_value: port } };
}
