import type { Address } from './address.ts';
import { decodeAddress } from './address-decode.ts';
import { decodeFilterMetadata } from './extension-decode.ts';
import type { ExtensionSupport } from './extension-support.ts';
import { decodeFilterChain } from './filter-chain-decode.ts';
import { refuseEqualMatches } from './filter-chain-overlap.ts';
import { checkGrpcLimits } from './grpc-limits.ts';
import { HTTP2_LIMITS_METADATA, readHttp2Limits } from './http2-limits.ts';
import type { Listener, ListenerFilter } from './listener.ts';
import type { MessageReader } from './message-reader.ts';

export const LISTENER_MESSAGE = 'envoy.config.listener.v3.Listener';

/** Envoy's defaults. */
const DEFAULT_LISTENER_FILTERS_TIMEOUT_MS = 15_000;
const DEFAULT_BUFFER_LIMIT_BYTES = 1024 * 1024;

/** As Linux takes it where nothing is said. */
const DEFAULT_TCP_BACKLOG_SIZE = 4096;

const DRAIN_TYPES = { DEFAULT: 'default', MODIFY_ONLY: 'modifyOnly' } as const;

const TRAFFIC_DIRECTIONS = { UNSPECIFIED: 'unspecified', INBOUND: 'inbound', OUTBOUND: 'outbound' } as const;

/** envoy.config.listener.v3.Listener. Socket options and access logs of the listener itself are read past. */
export function decodeListener(reader: MessageReader, support: ExtensionSupport): Listener {
  refuseOtherKinds(reader);
  const filterChains = reader.messages('filter_chains').map((chain) => decodeFilterChain(chain, support));
  const defaultChain = reader.message('default_filter_chain');
  if (defaultChain?.has('filter_chain_match')) defaultChain.fault('filter_chain_match', 'must not be set here');
  if (filterChains.length === 0 && defaultChain === undefined) reader.fault('filter_chains', 'must not be empty');
  refuseEqualMatches(reader, filterChains);
  const metadata = decodeFilterMetadata(reader.message('metadata'));
  for (const { key, problem } of readHttp2Limits(metadata).problems) {
    reader.fault(`metadata.filter_metadata[${HTTP2_LIMITS_METADATA}].${key}`, problem);
  }
  checkGrpcLimits(reader, metadata);
  return {
    name: reader.string('name'),
    address: decodeListenAddress(reader),
    ...decodeAdditionalAddresses(reader),
    ...decodeBinding(reader),
    ...(reader.choice('drain_type', DRAIN_TYPES, 'default') === 'modifyOnly' ? { drainType: 'modifyOnly' } : {}),
    trafficDirection: reader.choice('traffic_direction', TRAFFIC_DIRECTIONS, 'unspecified'),
    listenerFilters: decodeListenerFilters(reader),
    listenerFiltersTimeoutMs: reader.durationMs('listener_filters_timeout') ?? DEFAULT_LISTENER_FILTERS_TIMEOUT_MS,
    continueOnListenerFiltersTimeout: reader.boolean('continue_on_listener_filters_timeout'),
    filterChains,
    defaultFilterChain: defaultChain === undefined ? undefined : decodeFilterChain(defaultChain, support),
    perConnectionBufferLimitBytes: decodeBufferLimit(reader),
    tcpBacklogSize: reader.wrappedNumber('tcp_backlog_size') ?? DEFAULT_TCP_BACKLOG_SIZE,
    metadata,
  };
}

/** Listeners that are no bound TCP socket, and settings that change which connections reach one. */
function refuseOtherKinds(reader: MessageReader): void {
  reader.refuse('api_listener', 'internal_listener', 'udp_listener_config', 'filter_chain_matcher');
  if (reader.wrappedBoolean('transparent') === true) reader.refuse('transparent');
}

function decodeBinding(reader: MessageReader): Pick<Listener, 'useOriginalDst' | 'bindToPort'> {
  const isBound =
    reader.wrappedBoolean('bind_to_port') ?? reader.message('deprecated_v1')?.wrappedBoolean('bind_to_port') ?? true;
  const handsOver = reader.wrappedBoolean('use_original_dst') === true;
  return { ...(handsOver ? { useOriginalDst: true } : {}), ...(isBound ? {} : { bindToPort: false }) };
}

function decodeListenAddress(reader: MessageReader): Address {
  return decodeAddress(reader.requiredMessage('address'));
}

/** Socket options of one address alone are refused: those of the listener are only passed over because they tune. */
function decodeAdditionalAddresses(reader: MessageReader): Pick<Listener, 'additionalAddresses'> {
  const additionalAddresses = reader.messages('additional_addresses').map((additional) => {
    additional.refuse('socket_options');
    return decodeAddress(additional.requiredMessage('address'));
  });
  return additionalAddresses.length === 0 ? {} : { additionalAddresses };
}

function decodeBufferLimit(reader: MessageReader): number {
  const bytes = reader.wrappedNumber('per_connection_buffer_limit_bytes') ?? DEFAULT_BUFFER_LIMIT_BYTES;
  if (bytes === 0) reader.fault('per_connection_buffer_limit_bytes', 'must be above 0');
  return bytes;
}

const LISTENER_FILTERS: Readonly<Record<string, (config: MessageReader) => ListenerFilter>> = {
  'envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector': () => ({ kind: 'tlsInspector' }),
  'envoy.extensions.filters.listener.http_inspector.v3.HttpInspector': () => ({ kind: 'httpInspector' }),
  'envoy.extensions.filters.listener.original_dst.v3.OriginalDst': () => ({ kind: 'originalDst' }),
  'envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol': (config) => {
    config.refuse('disallowed_versions');
    const allowRequestsWithoutProxyProtocol = config.boolean('allow_requests_without_proxy_protocol');
    return { kind: 'proxyProtocol', allowRequestsWithoutProxyProtocol };
  },
};

function decodeListenerFilters(reader: MessageReader): readonly ListenerFilter[] {
  const filters = reader.messages('listener_filters').flatMap((filter) => {
    filter.refuse('filter_disabled', 'config_discovery');
    if (filter.has('config_discovery')) return [];
    const config = filter.opened('typed_config');
    if (config === undefined) return [];
    const decode = LISTENER_FILTERS[config.typeName];
    if (decode !== undefined) return [decode(config)];
    filter.fault('typed_config', `listener filter ${config.typeName} is not supported`);
    return [];
  });
  const wantsOriginalDst = reader.wrappedBoolean('use_original_dst') === true;
  const hasOriginalDst = filters.some((filter) => filter.kind === 'originalDst');
  return wantsOriginalDst && !hasOriginalDst ? [...filters, { kind: 'originalDst' }] : filters;
}
