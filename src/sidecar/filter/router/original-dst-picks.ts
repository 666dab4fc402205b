import type { Address } from '../../../resource/address.ts';
import type { OriginalDstDiscovery } from '../../../resource/cluster.ts';
import { ipFamily } from '../../../resource/ip-literal.ts';
import type { Counter, Gauge, MetricsRegistry } from '../../../telemetry/metrics/metrics.ts';
import {
  ByteStream,
  Deadline,
  type DeadlineOwner,
  type EventTurn,
} from '../../../transport-socket/transport-socket.ts';
import type { DestinationHosts, Host, RuntimeCluster } from '../../cluster/cluster.ts';
import { requestValue } from '../effective-fields.ts';
import type { RoutedStream } from './routed-stream.ts';

/** A connection that is passed on as it is, or a request; a mirrored one has nothing but itself. */
export type DestinationAsker =
  | ByteStream
  | (Pick<RoutedStream, 'head' | 'requestEdits'> & Partial<Pick<RoutedStream, 'metadata' | 'peer'>>);

/** Picks in one cluster of type ORIGINAL_DST, and lets hosts go that nobody needs any more. */
export class OriginalDstPicks implements DeadlineOwner {
  readonly #turn: EventTurn;
  readonly #cluster: RuntimeCluster;
  readonly #hosts: DestinationHosts;
  readonly #onGone: (host: Host) => void;
  readonly #deadline: Deadline = new Deadline(this);
  readonly #active: Gauge;
  readonly #invalid: Counter;
  readonly #overflow: Counter;
  #isSweeping = false;

  constructor(
    turn: EventTurn,
    cluster: RuntimeCluster,
    hosts: DestinationHosts,
    metrics: MetricsRegistry,
    onGone: (host: Host) => void,
  ) {
    this.#turn = turn;
    this.#cluster = cluster;
    this.#hosts = hosts;
    this.#onGone = onGone;
    const scope = { kind: 'cluster', name: cluster.name } as const;
    this.#active = metrics.gauge(scope, 'original_dst_hosts');
    this.#invalid = metrics.counter(scope, 'original_dst_host_invalid');
    this.#overflow = metrics.counter(scope, 'original_dst_host_overflow');
  }

  /** undefined where nobody says where to go, or there are too many hosts. */
  pick(asker: DestinationAsker): Host | undefined {
    const { discovery } = this.#cluster.config;
    if (discovery.kind !== 'originalDst') return undefined;
    const destination = this.#destinationOf(asker, discovery);
    if (destination === undefined) return undefined;
    const { upstreamPortOverride: port } = discovery;
    const before = this.#hosts.size;
    const host = this.#hosts.at(port === undefined ? destination : { ...destination, port });
    if (host === undefined) this.#overflow.increment();
    this.#active.add(this.#hosts.size - before);
    if (!this.#isSweeping) this.#sweepIn(discovery.cleanupIntervalMs);
    return host;
  }

  onDeadline(): void {
    this.#isSweeping = false;
    const { discovery } = this.#cluster.config;
    const gone = this.#hosts.sweep();
    this.#active.add(-gone.length);
    for (const host of gone) this.#onGone(host);
    if (this.#hosts.size > 0 && discovery.kind === 'originalDst') this.#sweepIn(discovery.cleanupIntervalMs);
  }

  destroy(): void {
    this.#turn.deadlines.remove(this.#deadline);
  }

  #sweepIn(intervalMs: number): void {
    this.#isSweeping = true;
    this.#turn.deadlines.schedule(this.#deadline, this.#turn.nowMs + intervalMs);
  }

  /** Envoy's order: what filters have said, then the header, then the address that the connection was redirected from. */
  #destinationOf(asker: DestinationAsker, discovery: OriginalDstDiscovery): IpAddress | undefined {
    if (asker instanceof ByteStream) return asker.restoredDestination;
    const { metadataKey, httpHeaderName } = discovery;
    const metadata = metadataKey && asker.metadata?.at(metadataKey.filter, metadataKey.path);
    const header = httpHeaderName === undefined ? undefined : requestValue(asker, httpHeaderName);
    return this.#parse(firstOf(metadata)) ?? this.#parse(header) ?? asker.peer?.restoredDestination;
  }

  #parse(text: unknown): IpAddress | undefined {
    if (text === undefined) return undefined;
    const address = typeof text === 'string' ? parseAddress(text) : undefined;
    if (address === undefined) this.#invalid.increment();
    return address;
  }
}

type IpAddress = Extract<Address, { kind: 'ip' }>;

function firstOf(value: unknown): unknown {
  return Array.isArray(value) ? value[0] : value;
}

/** `192.0.2.1:80` or `[2001:db8::1]:80`, and nothing else. */
function parseAddress(text: string): IpAddress | undefined {
  const parts = /^(?:\[([0-9A-Fa-f:.]+)\]|([\d.]+)):(\d{1,5})$/.exec(text);
  if (parts === null) return undefined;
  const [, ipv6, ipv4, digits] = parts;
  const host = ipv6 ?? ipv4 ?? '';
  const port = Number(digits);
  const isWhole = ipFamily(host) === (ipv6 === undefined ? 4 : 6) && port >= 1 && port <= 65_535;
  return isWhole ? { kind: 'ip', host: ipv6 === undefined ? host : host.toLowerCase(), port } : undefined;
}
