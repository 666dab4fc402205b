import type { LoadBalancingPolicy, SlowStart } from './cluster.ts';
import type { MessageReader } from './message-reader.ts';
import { decodePercent } from './percent-decode.ts';
import { messageTypeOfUrl } from './protos.ts';

/** What a cluster says about balancing: the policy, and whether localities are weighted first. */
export interface DecodedLoadBalancing {
  readonly policy: LoadBalancingPolicy;
  readonly localityWeighted: boolean;
}

/** Envoy's defaults and bounds. */
const DEFAULT_CHOICE_COUNT = 2;
const DEFAULT_MIN_WEIGHT_PERCENT = 10;
const DEFAULT_MINIMUM_RING_SIZE = 1024;
const MAXIMUM_RING_SIZE = 8 * 1024 * 1024;
const DEFAULT_MAGLEV_TABLE_SIZE = 65_537;
const MAXIMUM_MAGLEV_TABLE_SIZE = 5_000_011;

const ROUND_ROBIN: LoadBalancingPolicy = { kind: 'roundRobin', slowStart: undefined };
const EXTENSIONS = 'envoy.extensions.load_balancing_policies';

/** `load_balancing_policy` where it is set, else `lb_policy` with its options. */
export function decodeLoadBalancing(cluster: MessageReader): DecodedLoadBalancing {
  const list = cluster.message('load_balancing_policy');
  if (list !== undefined) return decodePolicyList(list) ?? { policy: ROUND_ROBIN, localityWeighted: false };
  const localityWeighted = cluster.message('common_lb_config')?.has('locality_weighted_lb_config') ?? false;
  return { policy: decodeLbPolicy(cluster), localityWeighted };
}

/** The first policy of the list that is known; what stands before it is passed over, as the list is meant to be read. */
function decodePolicyList(list: MessageReader): DecodedLoadBalancing | undefined {
  const names: string[] = [];
  for (const entry of list.messages('policies')) {
    const extension = entry.message('typed_extension_config');
    const typeUrl = extension?.message('typed_config')?.string('type_url') ?? '';
    const decode = POLICIES.get(messageTypeOfUrl(typeUrl)?.fullName.slice(1) ?? '');
    const config = decode && extension?.opened('typed_config');
    const decoded = config && decode(config);
    if (decoded !== undefined) return decoded;
    names.push(typeUrl === '' ? '(none)' : typeUrl);
  }
  list.fault(
    'policies',
    `none of these is supported: ${names.join(', ') || '(empty)'}; add ${EXTENSIONS}.round_robin at the end`,
  );
  return undefined;
}

type PolicyDecoder = (config: MessageReader) => DecodedLoadBalancing | undefined;

const POLICIES: ReadonlyMap<string, PolicyDecoder> = new Map<string, PolicyDecoder>([
  [`${EXTENSIONS}.round_robin.v3.RoundRobin`, withLocality((config) => roundRobin(config))],
  [`${EXTENSIONS}.least_request.v3.LeastRequest`, withLocality((config) => leastRequest(config))],
  [`${EXTENSIONS}.random.v3.Random`, withLocality(() => ({ kind: 'random' }))],
  [`${EXTENSIONS}.ring_hash.v3.RingHash`, withHashing((config) => ringHash(config, RING_HASH_FUNCTIONS))],
  [`${EXTENSIONS}.maglev.v3.Maglev`, withHashing((config) => maglev(config))],
  [`${EXTENSIONS}.wrr_locality.v3.WrrLocality`, wrrLocality],
  [`${EXTENSIONS}.cluster_provided.v3.ClusterProvided`, () => ({ policy: ROUND_ROBIN, localityWeighted: false })],
]);

/** Policies that keep locality weighting under `locality_lb_config`. */
function withLocality(decode: (config: MessageReader) => LoadBalancingPolicy): PolicyDecoder {
  return (config) => ({
    policy: decode(config),
    localityWeighted: config.message('locality_lb_config')?.has('locality_weighted_lb_config') ?? false,
  });
}

/** Policies that keep it beside their own fields. */
function withHashing(decode: (config: MessageReader) => LoadBalancingPolicy): PolicyDecoder {
  return (config) => ({ policy: decode(config), localityWeighted: config.has('locality_weighted_lb_config') });
}

function wrrLocality(config: MessageReader): DecodedLoadBalancing | undefined {
  const list = config.requiredMessage('endpoint_picking_policy');
  const decoded = list && decodePolicyList(list);
  return decoded && { policy: decoded.policy, localityWeighted: true };
}

const LB_POLICIES = {
  ROUND_ROBIN: (cluster: MessageReader) => roundRobin(cluster.message('round_robin_lb_config')),
  LEAST_REQUEST: (cluster: MessageReader) => leastRequest(cluster.message('least_request_lb_config')),
  RANDOM: (): LoadBalancingPolicy => ({ kind: 'random' }),
  RING_HASH: (cluster: MessageReader) => ringHash(cluster.message('ring_hash_lb_config'), LB_CONFIG_HASH_FUNCTIONS),
  MAGLEV: (cluster: MessageReader) => maglev(cluster.message('maglev_lb_config')),
  // For clusters that bring their own choice: the original destination, and the clusters of an aggregate.
  CLUSTER_PROVIDED: () => ROUND_ROBIN,
} as const;

function decodeLbPolicy(cluster: MessageReader): LoadBalancingPolicy {
  return cluster.choice<(cluster: MessageReader) => LoadBalancingPolicy>(
    'lb_policy',
    LB_POLICIES,
    () => ROUND_ROBIN,
  )(cluster);
}

function roundRobin(config: MessageReader | undefined): LoadBalancingPolicy {
  return { kind: 'roundRobin', slowStart: decodeSlowStart(config?.message('slow_start_config')) };
}

function leastRequest(config: MessageReader | undefined): LoadBalancingPolicy {
  const choiceCount = config?.wrappedNumber('choice_count') ?? DEFAULT_CHOICE_COUNT;
  if (choiceCount < 2) config?.fault('choice_count', `must be at least 2, not ${choiceCount}`);
  const activeRequestBias = config?.message('active_request_bias')?.number('default_value') ?? 1;
  if (!(activeRequestBias >= 0)) config?.fault('active_request_bias.default_value', 'must not be negative');
  return {
    kind: 'leastRequest',
    choiceCount,
    activeRequestBias,
    selection: decodeSelection(config),
    slowStart: decodeSlowStart(config?.message('slow_start_config')),
  };
}

const SELECTIONS = { N_CHOICES: 'nChoices', FULL_SCAN: 'fullScan' } as const;

/** Only the extension knows selection; `enable_full_scan` is its older word. */
function decodeSelection(config: MessageReader | undefined): 'nChoices' | 'fullScan' {
  if (config?.typeName !== `${EXTENSIONS}.least_request.v3.LeastRequest`) return 'nChoices';
  if (config.wrappedBoolean('enable_full_scan') === true) return 'fullScan';
  return config.choice('selection_method', SELECTIONS, 'nChoices');
}

const RING_HASH_FUNCTIONS = { DEFAULT_HASH: 'xxHash', XX_HASH: 'xxHash' };
const LB_CONFIG_HASH_FUNCTIONS = { XX_HASH: 'xxHash' };

function ringHash(
  config: MessageReader | undefined,
  hashFunctions: Readonly<Record<string, string>>,
): LoadBalancingPolicy {
  config?.choice('hash_function', hashFunctions, 'xxHash');
  if (config?.typeName === `${EXTENSIONS}.ring_hash.v3.RingHash`) config.refuse('use_hostname_for_hashing');
  const minimumRingSize = config?.wrappedNumber('minimum_ring_size') ?? DEFAULT_MINIMUM_RING_SIZE;
  const maximumRingSize = config?.wrappedNumber('maximum_ring_size') ?? MAXIMUM_RING_SIZE;
  if (maximumRingSize > MAXIMUM_RING_SIZE) config?.fault('maximum_ring_size', `must be at most ${MAXIMUM_RING_SIZE}`);
  if (minimumRingSize < 1 || minimumRingSize > maximumRingSize) {
    config?.fault(
      'minimum_ring_size',
      `must be from 1 to maximum_ring_size (${maximumRingSize}), not ${minimumRingSize}`,
    );
  }
  return { kind: 'ringHash', minimumRingSize, maximumRingSize };
}

function maglev(config: MessageReader | undefined): LoadBalancingPolicy {
  const tableSize = config?.wrappedNumber('table_size') ?? DEFAULT_MAGLEV_TABLE_SIZE;
  // The permutation of each host covers the table only where its size is prime.
  if (tableSize > MAXIMUM_MAGLEV_TABLE_SIZE || !isPrime(tableSize)) {
    config?.fault('table_size', `must be a prime of at most ${MAXIMUM_MAGLEV_TABLE_SIZE}, not ${tableSize}`);
  }
  return { kind: 'maglev', tableSize };
}

function isPrime(number: number): boolean {
  if (number < 2) return false;
  for (let divisor = 2; divisor * divisor <= number; divisor += 1) if (number % divisor === 0) return false;
  return true;
}

function decodeSlowStart(config: MessageReader | undefined): SlowStart | undefined {
  if (config === undefined) return undefined;
  const windowMs = config.durationMs('slow_start_window') ?? 0;
  const aggression = config.message('aggression')?.number('default_value') ?? 1;
  if (!(aggression > 0)) config.fault('aggression.default_value', 'must be above 0');
  const minWeightPercent = decodePercent(config.message('min_weight_percent')) ?? DEFAULT_MIN_WEIGHT_PERCENT;
  return windowMs === 0 ? undefined : { windowMs, aggression, minWeightPercent };
}
