import { decodeCidrRange } from './address-decode.ts';
import { decodeTypedExtension } from './extension-decode.ts';
import type { ExtensionSupport } from './extension-support.ts';
import { decodeHttpConnectionManager } from './http-connection-manager-decode.ts';
import type { FilterChain, FilterChainMatch, NetworkFilter, SourceMatch } from './listener.ts';
import type { MessageReader } from './message-reader.ts';
import { NETWORK_FILTER_DECODERS } from './network-filter-decode.ts';
import { decodeTcpProxy } from './tcp-proxy-decode.ts';
import { decodeTransportSocket } from './transport-socket-decode.ts';

const HTTP_CONNECTION_MANAGER = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';
const TCP_PROXY = 'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy';

/** envoy.config.listener.v3.FilterChain. */
export function decodeFilterChain(reader: MessageReader, support: ExtensionSupport): FilterChain {
  if (reader.wrappedBoolean('use_proxy_proto') === true) {
    reader.fault('use_proxy_proto', 'is not supported; use the proxy_protocol listener filter');
  }
  const filters = reader.messages('filters').flatMap((filter) => decodeNetworkFilter(filter, support));
  refuseMisplacedTerminal(reader, filters);
  return {
    name: reader.string('name'),
    match: decodeFilterChainMatch(reader.message('filter_chain_match')),
    filters,
    transportSocket: decodeTransportSocket(reader.message('transport_socket'), 'downstream'),
    transportSocketConnectTimeoutMs: reader.durationMs('transport_socket_connect_timeout'),
  };
}

/** Criteria that would narrow a match and that Weft does not weigh are refused: read past, they would let more in. */
function decodeFilterChainMatch(reader: MessageReader | undefined): FilterChainMatch {
  reader?.refuse('address_suffix', 'suffix_len');
  const destinationPort = reader?.wrappedNumber('destination_port');
  if (destinationPort !== undefined && (destinationPort < 1 || destinationPort > 65535)) {
    reader?.fault('destination_port', `must be from 1 to 65535, not ${destinationPort}`);
  }
  return {
    destinationPort,
    prefixRanges: reader?.messages('prefix_ranges').map(decodeCidrRange) ?? [],
    serverNames: decodeServerNames(reader),
    transportProtocol: reader?.string('transport_protocol') ?? '',
    applicationProtocols: reader?.strings('application_protocols') ?? [],
    ...decodeSourceMatch(reader),
  };
}

const SOURCE_TYPES = { ANY: 'any', SAME_IP_OR_LOOPBACK: 'sameIpOrLoopback', EXTERNAL: 'external' } as const;

/** Nothing where no criterion is set. */
function decodeSourceMatch(reader: MessageReader | undefined): { readonly source?: SourceMatch } {
  if (reader === undefined) return {};
  const ports = reader.numbers('source_ports');
  ports.forEach((port, index) => {
    if (port < 1 || port > 65535) reader.fault(`source_ports[${index}]`, `must be from 1 to 65535, not ${port}`);
  });
  const source = {
    directPrefixRanges: reader.messages('direct_source_prefix_ranges').map(decodeCidrRange),
    type: reader.choice('source_type', SOURCE_TYPES, 'any'),
    prefixRanges: reader.messages('source_prefix_ranges').map(decodeCidrRange),
    ports,
  };
  const lists = [source.directPrefixRanges, source.prefixRanges, ports];
  const asksNothing = source.type === 'any' && lists.every((list) => list.length === 0);
  return asksNothing ? {} : { source };
}

function decodeServerNames(reader: MessageReader | undefined): readonly string[] {
  const names = reader?.strings('server_names').map((name) => name.toLowerCase()) ?? [];
  names.forEach((name, index) => {
    const partial = name.replace(/^\*\./, '').includes('*') && name !== '*';
    if (partial)
      reader?.fault(`server_names[${index}]`, `${name}: a wildcard stands for whole leading labels, *.suffix`);
  });
  return names;
}

function decodeNetworkFilter(reader: MessageReader, support: ExtensionSupport): readonly NetworkFilter[] {
  const name = reader.requiredString('name');
  if (reader.has('config_discovery')) {
    reader.refuse('config_discovery');
    return [];
  }
  const config = reader.opened('typed_config');
  if (config === undefined) return [];
  if (config.typeName === HTTP_CONNECTION_MANAGER) {
    return [{ kind: 'httpConnectionManager', name, config: decodeHttpConnectionManager(config, support) }];
  }
  if (config.typeName === TCP_PROXY) return [{ kind: 'tcpProxy', name, config: decodeTcpProxy(config, support) }];
  const extension = decodeTypedExtension(reader.message('typed_config'));
  if (extension === undefined || !support.networkFilters.has(config.typeName)) {
    reader.fault('typed_config', `network filter ${config.typeName} is not supported`);
    return [];
  }
  NETWORK_FILTER_DECODERS.get(config.typeName)?.(config);
  return [{ kind: 'extension', name, config: extension }];
}

/** The last filter answers the connection; a chain without one would accept and hang. */
function refuseMisplacedTerminal(reader: MessageReader, filters: readonly NetworkFilter[]): void {
  const terminal = filters.findIndex((filter) => filter.kind !== 'extension');
  if (terminal === -1) {
    reader.fault('filters', 'must end with http_connection_manager or tcp_proxy');
  } else if (terminal < filters.length - 1) {
    const first = filters[terminal]?.name;
    reader.fault('filters', `${first} must be last; after it stands ${filters[terminal + 1]?.name}`);
  }
}
