import { GRPC_LIMITS_METADATA } from '../../resource/grpc-limits.ts';
import { CLUSTER_TYPE, LISTENER_TYPE } from '../../resource/type-url.ts';
import type { Json } from '../snapshot/resource-literal.ts';
import type { AccessLoggers } from './access-logs.ts';
import { originText, type ProxyRegistration } from './catalog.ts';
import { httpProtocolJson } from './clusters.ts';
import type { ConfigEntries, InstanceRateLimits } from './config-entries.ts';
import { inboundChains } from './inbound-chains.ts';
import { listenerJson } from './listeners.ts';
import type { MutualTlsTerms } from './mutual-tls.ts';
import { durationJson, LOCAL_CLUSTER, PUBLIC_LISTENER } from './names.ts';
import { pipeAddressJson, socketAddressJson } from './network-address.ts';
import { type Problem, warningAt } from './problem.ts';
import { isHttp, type Protocol, protocolOfService } from './protocol.ts';
import type { ProxyOptions } from './proxy-options.ts';
import { limitedRoutesJson } from './rate-limits.ts';
import { MATCH_ALL } from './route-match.ts';
import type { TranslatedUnit } from './translated-proxy.ts';

/** As Consul: a sidecar registered without an address of its own serves on all of the machine's. */
const ANY_ADDRESS = '0.0.0.0';
const LOCALHOST = '127.0.0.1';

export interface InboundContext {
  readonly entries: ConfigEntries;
  readonly loggers: AccessLoggers;
  readonly trustDomain: string;
  /** Undefined: whoever reaches the port is let in, in plaintext. */
  readonly mutualTls: MutualTlsTerms | undefined;
  readonly report: (problem: Problem) => void;
}

/** What the mesh reaches the application through: the public listener and the cluster behind it. */
export function inboundUnit(
  registration: ProxyRegistration,
  options: ProxyOptions,
  context: InboundContext,
): TranslatedUnit {
  const { entries, loggers, report } = context;
  const protocol = options.protocol ?? protocolOfService(registration.destinationService, entries);
  const { name, address } = publicAddress(registration, options);
  const defaults = entries.serviceDefaults.get(registration.destinationService);
  const rateLimits = rateLimitsOf(options, defaults?.rateLimits);
  if (defaults?.rateLimits !== undefined && !isHttp(protocol)) {
    report(warningAt(originText(defaults.origin), 'RateLimits count requests, and a service of protocol tcp has none'));
  }
  const routeConfig = inboundRoutesJson(options, rateLimits);
  const listener = listenerJson({
    ...{ name, address, direction: 'INBOUND', loggers, balance: options.balanceInboundConnections },
    metadata: isHttp(protocol) ? grpcLimitsJson(options) : undefined,
    ...inboundChains({ ...context, registration, protocol, options, rateLimits, routeConfig }),
  });
  return {
    key: 'inbound',
    resources: [
      { typeUrl: LISTENER_TYPE, name, json: listener },
      { typeUrl: CLUSTER_TYPE, name: LOCAL_CLUSTER, json: localClusterJson(registration, options, protocol) },
    ],
    endpointGroups: [],
  };
}

/** What Envoy has no word for, and reads past. */
function grpcLimitsJson({ maxGrpcRequestMessageBytes, maxGrpcResponseMessageBytes }: ProxyOptions): Json | undefined {
  const limits = {
    ...(maxGrpcRequestMessageBytes === undefined ? {} : { max_request_message_bytes: maxGrpcRequestMessageBytes }),
    ...(maxGrpcResponseMessageBytes === undefined ? {} : { max_response_message_bytes: maxGrpcResponseMessageBytes }),
  };
  return Object.keys(limits).length === 0 ? undefined : { filterMetadata: { [GRPC_LIMITS_METADATA]: limits } };
}

/** A key of ours counts for all requests; limits of routes stay the entry's. */
function rateLimitsOf(
  { requestsPerSecond, requestsBurst = 0 }: ProxyOptions,
  written: InstanceRateLimits | undefined,
): InstanceRateLimits | undefined {
  if (requestsPerSecond === undefined) return written;
  return { routes: written?.routes ?? [], requestsPerSecond, maxBurst: requestsBurst };
}

function publicAddress(
  registration: ProxyRegistration,
  options: ProxyOptions,
): { readonly name: string; readonly address: Json } {
  const port = options.bindPort ?? registration.port;
  if (port === 0 && registration.socketPath !== '') {
    return { name: `${PUBLIC_LISTENER}:${registration.socketPath}`, address: pipeAddressJson(registration.socketPath) };
  }
  const host = options.bindAddress ?? (registration.address === '' ? ANY_ADDRESS : registration.address);
  const address = socketAddressJson(host, port, `registration ${registration.id}: address`);
  return { name: `${PUBLIC_LISTENER}:${host}:${port}`, address };
}

/** One route to the application. What may be retried is the caller's sidecar's business, not ours. */
function inboundRoutesJson(
  { localRequestTimeoutMs, localIdleTimeoutMs }: ProxyOptions,
  rateLimits: InstanceRateLimits | undefined,
): Json {
  const route = {
    cluster: LOCAL_CLUSTER,
    ...(localRequestTimeoutMs === undefined ? {} : { timeout: durationJson(localRequestTimeoutMs) }),
    ...(localIdleTimeoutMs === undefined ? {} : { idleTimeout: durationJson(localIdleTimeoutMs) }),
  };
  const limited = rateLimits === undefined ? [] : limitedRoutesJson(rateLimits, route);
  const routes = [...limited, { match: MATCH_ALL, route }];
  return { name: PUBLIC_LISTENER, virtualHosts: [{ name: PUBLIC_LISTENER, domains: ['*'], routes }] };
}

function localClusterJson(registration: ProxyRegistration, options: ProxyOptions, protocol: Protocol): Json {
  const address = applicationAddressJson(registration);
  return {
    name: LOCAL_CLUSTER,
    type: 'STATIC',
    connectTimeout: durationJson(options.localConnectTimeoutMs),
    loadAssignment: { clusterName: LOCAL_CLUSTER, endpoints: [{ lbEndpoints: [{ endpoint: { address } }] }] },
    ...(options.maxInboundConnections === undefined
      ? {}
      : { circuitBreakers: { thresholds: [{ maxConnections: options.maxInboundConnections }] } }),
    ...(isHttp(protocol) ? httpProtocolJson(protocol, options.localKeepaliveMs) : {}),
  };
}

export function applicationAddressJson(registration: ProxyRegistration): Json {
  if (registration.localServiceSocketPath !== '') return pipeAddressJson(registration.localServiceSocketPath);
  const host = registration.localServiceAddress === '' ? LOCALHOST : registration.localServiceAddress;
  return socketAddressJson(
    host,
    registration.localServicePort,
    `registration ${registration.id}: proxy.local_service_address and proxy.local_service_port`,
  );
}
