import type { OriginalDstDiscovery } from './cluster.ts';
import type { MessageReader } from './message-reader.ts';

/** Envoy's defaults. */
const DEFAULT_HEADER_NAME = 'x-envoy-original-dst-host';
const DEFAULT_CLEANUP_INTERVAL_MS = 5_000;

/** Of envoy.config.cluster.v3.Cluster.LbPolicy: the only one that means anything here. */
const CLUSTER_PROVIDED = 6;

/** RFC 9110 §5.6.2: what a field may be called. */
const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;

/** What a cluster of type ORIGINAL_DST says about its hosts, which it has none of until they are asked for. */
export function decodeOriginalDst(cluster: MessageReader): OriginalDstDiscovery {
  cluster.refuse('load_assignment');
  if (cluster.enumNumber('lb_policy') !== CLUSTER_PROVIDED && !cluster.has('load_balancing_policy')) {
    cluster.fault('lb_policy', 'must be CLUSTER_PROVIDED with type ORIGINAL_DST');
  }
  const config = cluster.message('original_dst_lb_config');
  return {
    kind: 'originalDst',
    httpHeaderName: decodeHeaderName(config),
    metadataKey: decodeMetadataKey(config?.message('metadata_key')),
    upstreamPortOverride: decodePort(config),
    cleanupIntervalMs: cluster.positiveDurationMs('cleanup_interval') ?? DEFAULT_CLEANUP_INTERVAL_MS,
  };
}

function decodeHeaderName(config: MessageReader | undefined): string | undefined {
  const name = config?.string('http_header_name').toLowerCase() ?? '';
  if (config?.boolean('use_http_header') === true) {
    if (name !== '' && !FIELD_NAME.test(name)) {
      config.fault('http_header_name', `${JSON.stringify(name)} is no name of a header`);
    }
    return name === '' ? DEFAULT_HEADER_NAME : name;
  }
  if (name !== '') config?.fault('http_header_name', 'needs use_http_header: true');
  return undefined;
}

function decodeMetadataKey(key: MessageReader | undefined): OriginalDstDiscovery['metadataKey'] {
  if (key === undefined) return undefined;
  const path = key.messages('path').map((segment) => segment.requiredString('key'));
  if (path.length === 0) key.fault('path', 'must not be empty');
  return { filter: key.requiredString('key'), path };
}

function decodePort(config: MessageReader | undefined): number | undefined {
  const port = config?.wrappedNumber('upstream_port_override');
  if (port !== undefined && (port < 1 || port > 65535)) {
    config?.fault('upstream_port_override', `must be from 1 to 65535, not ${port}`);
  }
  return port;
}
