import { systemClock } from '../../base/clock.ts';
import type { Cluster } from '../../resource/cluster.ts';
import type { Fault } from '../../resource/fault.ts';
import type { FilterChain, Listener } from '../../resource/listener.ts';
import { compileAccessLogFormat } from '../../telemetry/access-log/access-log.ts';
import { originalDestinationProblem } from '../../transport-socket/transport-socket.ts';
import { chainsOf } from '../config/references.ts';
import { tlsFaults } from './tls-faults.ts';

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
