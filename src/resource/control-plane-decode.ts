import type { ControlServer } from './bootstrap.ts';
import type { Cluster } from './cluster.ts';
import { ipFamily } from './ip-literal.ts';
import type { MessageReader } from './message-reader.ts';

/** Whom to ask for resources, in order of preference, and in which variant of the protocol. */
export interface ControlPlane {
  readonly servers: readonly ControlServer[];
  readonly delta: boolean;
  readonly subscribes: { readonly listeners: boolean; readonly clusters: boolean };
  /** The longer of the two sources' `initial_fetch_timeout`; 0 waits without end. */
  readonly initialFetchTimeoutMs: number | undefined;
}

const NO_CONTROL_PLANE: ControlPlane = {
  servers: [],
  delta: false,
  subscribes: { listeners: false, clusters: false },
  initialFetchTimeoutMs: undefined,
};

/** Bootstrap.DynamicResources: one aggregated stream; its servers are static clusters or targets of their own. */
export function decodeControlPlane(reader: MessageReader | undefined, clusters: readonly Cluster[]): ControlPlane {
  const ads = reader?.message('ads_config');
  if (reader === undefined || ads === undefined) {
    if (reader?.has('lds_config') === true || reader?.has('cds_config') === true) {
      reader.fault('ads_config', 'must be set: listeners and clusters are asked for on one aggregated stream');
    }
    return NO_CONTROL_PLANE;
  }
  reader.refuse('lds_resources_locator', 'cds_resources_locator');
  const sources = ['lds_config', 'cds_config'].map((field) => adsSource(reader, field));
  ads.choice('transport_api_version', { V3: 'v3', AUTO: 'v3' }, 'v3');
  const delta = ads.choice('api_type', { GRPC: false, DELTA_GRPC: true }, false);
  const servers = ads.messages('grpc_services').flatMap((service) => decodeGrpcService(service, clusters));
  if (servers.length === 0) ads.fault('grpc_services', 'must name at least one control server');
  const timeoutsMs = sources.flatMap((source) => source?.durationMs('initial_fetch_timeout') ?? []);
  return {
    servers,
    delta,
    subscribes: { listeners: sources[0] !== undefined, clusters: sources[1] !== undefined },
    initialFetchTimeoutMs: longestMs(timeoutsMs),
  };
}

function adsSource(reader: MessageReader, field: string): MessageReader | undefined {
  const source = reader.message(field);
  if (source !== undefined && !source.has('ads'))
    reader.fault(field, 'must be {ads: {}}: there is one aggregated stream');
  return source;
}

/** 0 is without end, and so the longest. */
function longestMs(timeoutsMs: readonly number[]): number | undefined {
  if (timeoutsMs.length === 0) return undefined;
  return timeoutsMs.includes(0) ? 0 : Math.max(...timeoutsMs);
}

function decodeGrpcService(reader: MessageReader, clusters: readonly Cluster[]): readonly ControlServer[] {
  const initialMetadata = reader
    .messages('initial_metadata')
    .map((header): readonly [string, string] => [header.requiredString('key').toLowerCase(), header.string('value')])
    // Consul's bootstrap carries an empty token where there is none.
    .filter(([, value]) => value !== '');
  const withMetadata = (server: ControlServer): ControlServer =>
    initialMetadata.length === 0 ? server : { ...server, initialMetadata };
  return serversOf(reader, clusters).map(withMetadata);
}

function serversOf(reader: MessageReader, clusters: readonly Cluster[]): readonly ControlServer[] {
  const envoyGrpc = reader.message('envoy_grpc');
  if (envoyGrpc !== undefined) return serversOfCluster(envoyGrpc, clusters);
  const googleGrpc = reader.message('google_grpc');
  if (googleGrpc === undefined) {
    reader.fault('', 'must have envoy_grpc or google_grpc');
    return [];
  }
  googleGrpc.refuse('channel_credentials');
  const server = parseTarget(googleGrpc.requiredString('target_uri'));
  if (server === undefined) googleGrpc.fault('target_uri', 'must be host:port');
  return server === undefined ? [] : [server];
}

/** The endpoints of a static cluster, in the order they stand there. */
function serversOfCluster(reader: MessageReader, clusters: readonly Cluster[]): readonly ControlServer[] {
  const name = reader.requiredString('cluster_name');
  const cluster = clusters.find((candidate) => candidate.name === name);
  if (cluster === undefined || !('assignment' in cluster.discovery)) {
    reader.fault('cluster_name', `${name} is not a static or DNS cluster of static_resources.clusters`);
    return [];
  }
  const { transportSocket } = cluster;
  const secured = transportSocket === undefined || transportSocket.kind === 'rawBuffer' ? {} : { transportSocket };
  const endpoints = cluster.discovery.assignment.localities
    .toSorted((left, right) => left.priority - right.priority)
    .flatMap((locality) => locality.endpoints);
  if (endpoints.length === 0) reader.fault('cluster_name', `${name} has no endpoints`);
  return endpoints.flatMap(({ address }) => {
    if (address.kind === 'ip') return [{ host: address.host, port: address.port, ...secured }];
    reader.fault(
      'cluster_name',
      `${name} has the endpoint ${address.path}; control servers are reached by host and port`,
    );
    return [];
  });
}

/** `host:port`, `[::1]:port`, with or without `dns:///` before it. */
function parseTarget(target: string): ControlServer | undefined {
  const match = /^(?:dns:(?:\/\/\/)?|ipv[46]:)?(\[[^\]]+\]|[^:[\]/]+):(\d{1,5})$/.exec(target);
  if (match === null) return undefined;
  const [, bracketed = '', portText = ''] = match;
  const host = bracketed.startsWith('[') ? bracketed.slice(1, -1) : bracketed;
  const port = Number(portText);
  const hostFits = bracketed.startsWith('[') ? ipFamily(host) === 6 : true;
  return hostFits && port >= 1 && port <= 65535 ? { host, port } : undefined;
}
