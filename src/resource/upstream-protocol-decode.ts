import type { Cluster, UpstreamProtocol } from './cluster.ts';
import { decodeHttp2Options } from './http2-options-decode.ts';
import type { MessageReader } from './message-reader.ts';

const HTTP_PROTOCOL_OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

/** What a cluster says about its connections: protocol, reuse and age. */
export type UpstreamConnections = Pick<
  Cluster,
  'upstreamProtocol' | 'maxRequestsPerConnection' | 'idleTimeoutMs' | 'maxConnectionDurationMs'
>;

/** Envoy's upstream idle timeout. */
const DEFAULT_IDLE_TIMEOUT_MS = 3_600_000;

/** HttpProtocolOptions under its own name, or the cluster's older fields. */
export function decodeUpstreamConnections(cluster: MessageReader): UpstreamConnections {
  const options = openHttpProtocolOptions(cluster);
  const common = (options ?? cluster).message('common_http_protocol_options');
  options?.refuse('http_filters', 'header_validation_config');
  refuseAutomaticTls((options ?? cluster).message('upstream_http_protocol_options'));
  return {
    upstreamProtocol: options === undefined ? olderProtocol(cluster) : decodeProtocol(options),
    maxRequestsPerConnection:
      common?.wrappedNumber('max_requests_per_connection') ?? cluster.wrappedNumber('max_requests_per_connection') ?? 0,
    idleTimeoutMs: common?.durationMs('idle_timeout') ?? DEFAULT_IDLE_TIMEOUT_MS,
    maxConnectionDurationMs: common?.positiveDurationMs('max_connection_duration'),
  };
}

function openHttpProtocolOptions(cluster: MessageReader): MessageReader | undefined {
  let options: MessageReader | undefined;
  for (const [key, any] of cluster.messageMap('typed_extension_protocol_options')) {
    const opened = any.openedAny();
    if (opened?.typeName === HTTP_PROTOCOL_OPTIONS) options = opened;
    else if (opened !== undefined) cluster.fault(`typed_extension_protocol_options[${key}]`, 'is not supported');
  }
  return options;
}

/** Names and identities taken from each request: not obeyed, and a check that is not made must not seem to be. */
function refuseAutomaticTls(options: MessageReader | undefined): void {
  options?.refuse('auto_sni', 'auto_san_validation', 'override_auto_sni_header');
}

function olderProtocol(cluster: MessageReader): UpstreamProtocol {
  const http2 = cluster.message('http2_protocol_options');
  return http2 === undefined ? { kind: 'explicitHttp1' } : { kind: 'explicitHttp2', http2: decodeHttp2Options(http2) };
}

function decodeProtocol(options: MessageReader): UpstreamProtocol {
  const specifier = options.oneof('upstream_protocol_options');
  const specified = specifier === undefined ? undefined : options.message(specifier);
  if (specifier === undefined || specified === undefined) {
    options.fault('', 'must have one of explicit_http_config, use_downstream_protocol_config, auto_config');
    return { kind: 'explicitHttp1' };
  }
  specified.refuse('http3_protocol_options');
  const http2 = specified.message('http2_protocol_options');
  if (specifier === 'use_downstream_protocol_config') {
    return { kind: 'useDownstreamProtocol', http2: decodeHttp2Options(http2) };
  }
  if (specifier === 'auto_config') return { kind: 'auto', http2: decodeHttp2Options(http2) };
  return http2 === undefined ? { kind: 'explicitHttp1' } : { kind: 'explicitHttp2', http2: decodeHttp2Options(http2) };
}
