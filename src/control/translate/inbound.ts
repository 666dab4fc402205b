import { CLUSTER_TYPE, LISTENER_TYPE } from '../../resource/type-url.ts';
import type { Json } from '../snapshot/resource-literal.ts';
import type { ProxyRegistration } from './catalog.ts';
import { httpProtocolJson } from './clusters.ts';
import type { ConfigEntries } from './config-entries.ts';
import { httpConnectionManagerJson, listenerJson, tcpProxyJson } from './listeners.ts';
import { durationJson, LOCAL_CLUSTER, PUBLIC_LISTENER } from './names.ts';
import { pipeAddressJson, socketAddressJson } from './network-address.ts';
import { isHttp, type Protocol, protocolOfService } from './protocol.ts';
import type { ProxyOptions } from './proxy-options.ts';
import type { TranslatedUnit } from './translated-proxy.ts';

/** As Consul: a sidecar registered without an address of its own serves on all of the machine's. */
const ANY_ADDRESS = '0.0.0.0';
const LOCALHOST = '127.0.0.1';

/** What the mesh reaches the application through: the public listener and the cluster behind it. */
export function inboundUnit(
  registration: ProxyRegistration,
  options: ProxyOptions,
  entries: ConfigEntries,
): TranslatedUnit {
  const protocol = options.protocol ?? protocolOfService(registration.destinationService, entries);
  const { name, address } = publicAddress(registration, options);
  const filter = isHttp(protocol)
    ? httpConnectionManagerJson({
        direction: 'inbound',
        statPrefix: PUBLIC_LISTENER,
        protocol,
        traceSamplingPercent: options.traceSamplingPercent,
        routes: { routeConfig: inboundRoutesJson(options) },
      })
    : tcpProxyJson(PUBLIC_LISTENER, LOCAL_CLUSTER);
  const listener = listenerJson(name, address, 'INBOUND', filter);
  return {
    key: 'inbound',
    resources: [
      { typeUrl: LISTENER_TYPE, name, json: listener },
      { typeUrl: CLUSTER_TYPE, name: LOCAL_CLUSTER, json: localClusterJson(registration, options, protocol) },
    ],
    endpointGroups: [],
  };
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
function inboundRoutesJson({ localRequestTimeoutMs, localIdleTimeoutMs }: ProxyOptions): Json {
  const route = {
    cluster: LOCAL_CLUSTER,
    ...(localRequestTimeoutMs === undefined ? {} : { timeout: durationJson(localRequestTimeoutMs) }),
    ...(localIdleTimeoutMs === undefined ? {} : { idleTimeout: durationJson(localIdleTimeoutMs) }),
  };
  return {
    name: PUBLIC_LISTENER,
    virtualHosts: [{ name: PUBLIC_LISTENER, domains: ['*'], routes: [{ match: { prefix: '/' }, route }] }],
  };
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

function applicationAddressJson(registration: ProxyRegistration): Json {
  if (registration.localServiceSocketPath !== '') return pipeAddressJson(registration.localServiceSocketPath);
  const host = registration.localServiceAddress === '' ? LOCALHOST : registration.localServiceAddress;
  return socketAddressJson(
    host,
    registration.localServicePort,
    `registration ${registration.id}: proxy.local_service_address and proxy.local_service_port`,
  );
}
