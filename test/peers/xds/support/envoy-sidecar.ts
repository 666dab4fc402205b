import { stringify } from 'yaml';
import { freePort } from '../../../mesh/support/free-ports.ts';
import type { Mesh } from '../../../mesh/support/mesh.ts';
import { type Origin, startOrigin } from '../../../mesh/support/origin.ts';
import { type Envoy, startEnvoy } from '../../support/envoy.ts';

/** How Envoy asks for what it needs: all of each type again, or only differences. */
export type AdsVariant = 'GRPC' | 'DELTA_GRPC';

export interface EnvoySidecarOptions {
  readonly service: string;
  /** `web-1`; its sidecar is `web-1-sidecar-proxy`. */
  readonly instance: string;
  readonly upstreams?: readonly string[];
  readonly variant?: AdsVariant;
  /** Meta of the instance, which a resolver's subsets can choose by. */
  readonly meta?: Readonly<Record<string, string>>;
}

export interface EnvoySidecar extends AsyncDisposable {
  readonly proxyId: string;
  readonly envoy: Envoy;
  readonly app: Origin;
  readonly inboundPort: number;
  upstreamPort(service: string): number;
}

/** An application with Envoy beside it, registered as any other instance and driven by the control server of the mesh. */
export async function addEnvoySidecar(mesh: Mesh, options: EnvoySidecarOptions): Promise<EnvoySidecar> {
  const { service, instance, upstreams = [], variant = 'DELTA_GRPC', meta = {} } = options;
  const app = await startOrigin({ service, instance });
  const inboundPort = await freePort();
  const upstreamPorts = new Map<string, number>();
  for (const name of upstreams) upstreamPorts.set(name, await freePort());
  await mesh.registryPut('/v1/agent/service/register', {
    Name: service,
    ID: instance,
    Address: '127.0.0.1',
    Port: app.port,
    Meta: meta,
    Connect: {
      SidecarService: {
        Port: inboundPort,
        // Consul would probe the address once in ten seconds, and hold the instance for dead until it answers.
        Checks: [{ TCP: `127.0.0.1:${inboundPort}`, Interval: '250ms', Timeout: '10s', Status: 'passing' }],
        Proxy: {
          Upstreams: upstreams.map((name) => ({ DestinationName: name, LocalBindPort: upstreamPorts.get(name) ?? 0 })),
        },
      },
    },
  });
  const proxyId = `${instance}-sidecar-proxy`;
  const envoy = await startEnvoy(bootstrap({ proxyId, service, variant, xdsPort: mesh.xdsPort }));
  return {
    proxyId,
    envoy,
    app,
    inboundPort,
    upstreamPort: (name) => upstreamPorts.get(name) ?? 0,
    [Symbol.asyncDispose]: async () => {
      await envoy.stop();
      await app.stop();
    },
  };
}

interface BootstrapParts {
  readonly proxyId: string;
  readonly service: string;
  readonly variant: AdsVariant;
  readonly xdsPort: number;
}

/** What a person writes who points a plain Envoy at a control server. */
export function bootstrap({ proxyId, service, variant, xdsPort }: BootstrapParts): string {
  const overAds = { ads: {}, resource_api_version: 'V3' };
  const address = { socket_address: { address: '127.0.0.1', port_value: xdsPort } };
  const http2 = {
    '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
    explicit_http_config: { http2_protocol_options: {} },
  };
  return stringify({
    node: { id: proxyId, cluster: service },
    dynamic_resources: {
      ads_config: {
        api_type: variant,
        transport_api_version: 'V3',
        grpc_services: [{ envoy_grpc: { cluster_name: 'control' } }],
      },
      cds_config: overAds,
      lds_config: overAds,
    },
    static_resources: {
      clusters: [
        {
          name: 'control',
          type: 'STATIC',
          typed_extension_protocol_options: { 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': http2 },
          load_assignment: { cluster_name: 'control', endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] },
        },
      ],
    },
  });
}
