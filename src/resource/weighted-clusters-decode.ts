import { decodeHeaderMutations } from './header-mutation-decode.ts';
import type { MessageReader } from './message-reader.ts';
import type { ClusterSpecifier, WeightedCluster } from './route-configuration.ts';

type WeightedClusters = Extract<ClusterSpecifier, { kind: 'weightedClusters' }>;

/** The sum of weights must fit 32 bits, as in Envoy. */
const MAX_TOTAL_WEIGHT = 2 ** 32 - 1;

/** envoy.config.route.v3.WeightedCluster. */
export function decodeWeightedClusters(reader: MessageReader): WeightedClusters {
  reader.refuse('header_name');
  const clusters = reader.messages('clusters').map(decodeRouteClusterWeight);
  return { kind: 'weightedClusters', clusters, totalWeight: totalWeight(reader, clusters) };
}

/** TcpProxy.WeightedCluster, whose weights are plain numbers. */
export function decodeTcpWeightedClusters(reader: MessageReader): WeightedClusters {
  const clusters = reader.messages('clusters').map((cluster): WeightedCluster => {
    cluster.refuse('metadata_match');
    const weight = cluster.number('weight');
    if (weight === 0) cluster.fault('weight', 'must be at least 1');
    return { name: cluster.requiredString('name'), weight, headers: NO_MUTATIONS };
  });
  return { kind: 'weightedClusters', clusters, totalWeight: totalWeight(reader, clusters) };
}

const NO_MUTATIONS = {
  requestHeadersToAdd: [],
  requestHeadersToRemove: [],
  responseHeadersToAdd: [],
  responseHeadersToRemove: [],
};

function decodeRouteClusterWeight(reader: MessageReader): WeightedCluster {
  reader.refuse('cluster_header', 'metadata_match', 'typed_per_filter_config', 'host_rewrite_literal');
  return {
    name: reader.requiredString('name'),
    weight: reader.wrappedNumber('weight') ?? 0,
    headers: decodeHeaderMutations(reader),
  };
}

function totalWeight(reader: MessageReader, clusters: readonly WeightedCluster[]): number {
  const total = clusters.reduce((sum, cluster) => sum + cluster.weight, 0);
  if (clusters.length === 0) reader.fault('clusters', 'must not be empty');
  else if (total === 0) reader.fault('clusters', 'total weight must be above 0');
  else if (total > MAX_TOTAL_WEIGHT) reader.fault('clusters', `total weight must be at most ${MAX_TOTAL_WEIGHT}`);
  return total;
}
