/** What both Envoy and Weft are configured with, from one text: the same listener, routes, cluster and tracing. */
export interface ProxyShape {
  readonly kind: 'http1' | 'http2' | 'tcp';
  readonly originPort: number;
  /** OTLP over gRPC, where sampled spans go. */
  readonly otlpPort: number | undefined;
  readonly adminPort?: number;
  /** Heads may take minutes and breakers let 20,000 through: for measurements of clients that do not move. */
  readonly isPatient?: boolean;
  /** In front: what is behind stays plaintext. */
  readonly certificate?: CertificateFiles;
}

/** Paths of files in PEM. */
export interface CertificateFiles {
  readonly chain: string;
  readonly key: string;
  /** Both in one file, as HAProxy wants them. */
  readonly both: string;
}

const TYPE = 'type.googleapis.com/';
const HCM = `${TYPE}envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`;

export interface EnvoyBootstrap {
  readonly static_resources: { readonly listeners: readonly unknown[]; readonly clusters: readonly NamedCluster[] };
}

interface NamedCluster {
  readonly name: string;
}

export function envoyBootstrap(port: number, shape: ProxyShape): EnvoyBootstrap & Readonly<Record<string, unknown>> {
  return {
    node: { id: 'bench', cluster: 'bench' },
    ...(shape.adminPort === undefined ? {} : { admin: { address: socketAddress(shape.adminPort) } }),
    static_resources: {
      listeners: [
        {
          name: 'bench',
          address: socketAddress(port),
          filter_chains: [
            {
              filters: [shape.kind === 'tcp' ? tcpProxy() : connectionManager(shape)],
              ...(shape.certificate === undefined ? {} : { transport_socket: downstreamTls(shape.certificate) }),
            },
          ],
        },
      ],
      clusters: [
        {
          ...originCluster(shape.originPort),
          ...(shape.kind === 'http2' ? speaksHttp2() : {}),
          ...(shape.isPatient === true ? wideBreakers() : {}),
        },
        ...(shape.otlpPort === undefined ? [] : [otlpCluster(shape.otlpPort)]),
      ],
    },
  };
}

function downstreamTls({ chain, key }: CertificateFiles): unknown {
  const certificates = [{ certificate_chain: { filename: chain }, private_key: { filename: key } }];
  return {
    name: 'tls',
    typed_config: {
      '@type': `${TYPE}envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext`,
      common_tls_context: { tls_certificates: certificates, alpn_protocols: ['http/1.1'] },
    },
  };
}

function connectionManager(shape: ProxyShape): unknown {
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: {
      '@type': HCM,
      stat_prefix: 'bench',
      ...(shape.kind === 'http2'
        ? { codec_type: 'HTTP2', http2_protocol_options: { max_concurrent_streams: 1024 } }
        : { codec_type: 'HTTP1' }),
      generate_request_id: true,
      ...(shape.isPatient === true ? { request_headers_timeout: '600s' } : {}),
      ...(shape.otlpPort === undefined ? {} : { tracing: tracing() }),
      route_config: {
        name: 'bench',
        virtual_hosts: [
          {
            name: 'bench',
            domains: ['*'],
            routes: [
              { match: { path: '/healthz' }, route: { cluster: 'origin' } },
              {
                match: { prefix: '/api/', headers: [{ name: 'x-tenant', string_match: { exact: 'blue' } }] },
                route: { cluster: 'origin' },
              },
              {
                match: { prefix: '/' },
                route: { cluster: 'origin', timeout: shape.isPatient === true ? '0s' : '15s' },
              },
            ],
          },
        ],
      },
      http_filters: [
        {
          name: 'envoy.filters.http.router',
          typed_config: { '@type': `${TYPE}envoy.extensions.filters.http.router.v3.Router` },
        },
      ],
    },
  };
}

function tracing(): unknown {
  return {
    random_sampling: { value: 1 },
    provider: {
      name: 'envoy.tracers.opentelemetry',
      typed_config: {
        '@type': `${TYPE}envoy.config.trace.v3.OpenTelemetryConfig`,
        grpc_service: { envoy_grpc: { cluster_name: 'otlp' }, timeout: '1s' },
        service_name: 'bench',
      },
    },
  };
}

function tcpProxy(): unknown {
  return {
    name: 'envoy.filters.network.tcp_proxy',
    typed_config: {
      '@type': `${TYPE}envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy`,
      stat_prefix: 'bench',
      cluster: 'origin',
    },
  };
}

function originCluster(port: number): NamedCluster & Readonly<Record<string, unknown>> {
  return {
    name: 'origin',
    type: 'STATIC',
    connect_timeout: '5s',
    lb_policy: 'LEAST_REQUEST',
    load_assignment: assignment('origin', port),
  };
}

function wideBreakers(): Readonly<Record<string, unknown>> {
  const limits = { max_connections: 20_000, max_pending_requests: 20_000, max_requests: 20_000 };
  return { circuit_breakers: { thresholds: [limits] } };
}

function otlpCluster(port: number): NamedCluster & Readonly<Record<string, unknown>> {
  return {
    name: 'otlp',
    type: 'STATIC',
    connect_timeout: '1s',
    ...speaksHttp2(),
    load_assignment: assignment('otlp', port),
  };
}

function speaksHttp2(): Readonly<Record<string, unknown>> {
  return {
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': `${TYPE}envoy.extensions.upstreams.http.v3.HttpProtocolOptions`,
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
  };
}

function assignment(name: string, port: number): unknown {
  return { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address: socketAddress(port) } }] }] };
}

function socketAddress(port: number): unknown {
  return { socket_address: { address: '127.0.0.1', port_value: port } };
}
