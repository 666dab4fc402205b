import { systemClock } from '../../base/clock.ts';
import type { Cluster } from '../../resource/cluster.ts';
import { ALL_EXTENSIONS, type ExtensionSupport, ROUTER_FILTER } from '../../resource/extension-support.ts';
import type { Fault } from '../../resource/fault.ts';
import type { FilterChain, Listener } from '../../resource/listener.ts';
import { compileAccessLogFormat } from '../../telemetry/access-log/access-log.ts';
import { originalDestinationProblem } from '../../transport-socket/transport-socket.ts';
import { chainsOf } from '../config/references.ts';
import { tlsFaults } from './tls-faults.ts';

/**
 * What this data plane has no code for. A resource that asks for it is refused by name, because passing over a policy or
 * a transport socket would change who may talk to whom.
 */
export const DATA_PLANE_EXTENSIONS: ExtensionSupport = {
  httpFilters: new Set([
    ROUTER_FILTER,
    'envoy.extensions.filters.http.adaptive_concurrency.v3.AdaptiveConcurrency',
    'envoy.extensions.filters.http.admission_control.v3.AdmissionControl',
    'envoy.extensions.filters.http.buffer.v3.Buffer',
    'envoy.extensions.filters.http.cors.v3.Cors',
    'envoy.extensions.filters.http.ext_authz.v3.ExtAuthz',
    'envoy.extensions.filters.http.fault.v3.HTTPFault',
    'envoy.extensions.filters.http.grpc_http1_bridge.v3.Config',
    'envoy.extensions.filters.http.grpc_stats.v3.FilterConfig',
    'envoy.extensions.filters.http.grpc_web.v3.GrpcWeb',
    'envoy.extensions.filters.http.header_mutation.v3.HeaderMutation',
    'envoy.extensions.filters.http.health_check.v3.HealthCheck',
    'envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication',
    'envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit',
    'envoy.extensions.filters.http.ratelimit.v3.RateLimit',
    'envoy.extensions.filters.http.rbac.v3.RBAC',
    'envoy.extensions.filters.http.stateful_session.v3.StatefulSession',
  ]),
  networkFilters: ALL_EXTENSIONS.networkFilters,
  accessLoggers: ALL_EXTENSIONS.accessLoggers,
};

const NOT_YET = 'is not supported by this sidecar yet';

export function listenerFaults(listener: Listener, wallMs = systemClock.wallMs()): Fault[] {
  const faults = originalDstFaults(listener, originalDestinationProblem);
  chainsOf(listener).forEach((chain, index) => {
    faults.push(...chainFaults(chain, `filter_chains[${index}]`, wallMs));
  });
  return faults;
}

/** Who redirects connections must be able to tell where they were meant to go; `problemOf` is asked only where one does. */
export function originalDstFaults({ listenerFilters }: Listener, problemOf: () => string | undefined): Fault[] {
  const index = listenerFilters.findIndex(({ kind }) => kind === 'originalDst');
  const problem = index < 0 ? undefined : problemOf();
  return problem === undefined ? [] : [{ field: `listener_filters[${index}]`, message: `original_dst: ${problem}` }];
}

export function clusterFaults(cluster: Cluster, wallMs = systemClock.wallMs()): Fault[] {
  const faults = clusterTlsFaults(cluster, wallMs);
  const { transportSocket, upstreamProtocol } = cluster;
  if (upstreamProtocol.kind === 'explicitHttp2' && transportSocket?.kind === 'upstreamProxyProtocol') {
    const message = 'a PROXY header says whose a connection is, and many share one of HTTP/2: use HTTP/1.1';
    faults.push({ field: 'typed_extension_protocol_options', message });
  }
  const checksByRequest = cluster.healthChecks.some(({ checker }) => checker.kind !== 'tcp');
  if (transportSocket?.kind === 'upstreamProxyProtocol' && checksByRequest) {
    faults.push({
      field: 'health_checks',
      message: `HTTP and gRPC checks of a PROXY protocol cluster: ${NOT_YET}; use tcp`,
    });
  }
  return faults;
}

function clusterTlsFaults({ transportSocket, transportSocketMatches }: Cluster, wallMs: number): Fault[] {
  const sockets = [
    { path: 'transport_socket', socket: transportSocket },
    ...transportSocketMatches.map((match, index) => ({
      path: `transport_socket_matches[${index}].transport_socket`,
      socket: match.transportSocket,
    })),
  ];
  return sockets.flatMap(({ path, socket }) => {
    if (socket?.kind !== 'upstreamTls') return [];
    const field = `${path}.typed_config`;
    return tlsFaults(socket, field, wallMs);
  });
}

function chainFaults(chain: FilterChain, path: string, wallMs: number): Fault[] {
  const faults: Fault[] = [];
  const { transportSocket } = chain;
  if (transportSocket?.kind === 'downstreamTls') {
    const field = `${path}.transport_socket.typed_config`;
    faults.push(...tlsFaults(transportSocket, field, wallMs));
  }
  for (const filter of chain.filters) {
    if (filter.kind !== 'httpConnectionManager') continue;
    filter.config.accessLogs.forEach((logger, index) => {
      const compiled = compileAccessLogFormat(logger.format);
      if (!compiled.ok)
        faults.push({ field: `${path}.filters.access_log[${index}]`, message: compiled.faults.join('; ') });
    });
  }
  return faults;
}
