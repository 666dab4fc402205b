import type { Consul, EntriesChange, WatchMemory } from './consul/consul.ts';
import type { EndpointFeed } from './endpoint-feed.ts';
import type { IntentionsFeed } from './intentions-feed.ts';
import { type MeshState, ProxyFeed } from './proxy-feed.ts';
import type { SnapshotStore } from './snapshot/snapshot.ts';
import type { MutualTls, Problem, ServiceName } from './translate/translate.ts';
import type { TrustDomainFeed } from './trust-domain-feed.ts';

/** A proxy that left is followed this long: most come back, and find their snapshot warm. */
const LINGER_MS = 30_000;
/** Proxies one control server follows; more are a second server's. */
const MAX_PROXIES = 20_000;

export interface ProxyFeedsOptions {
  readonly consul: Consul;
  readonly store: SnapshotStore;
  readonly endpoints: EndpointFeed;
  readonly trustDomain: TrustDomainFeed;
  readonly intentions: IntentionsFeed;
  readonly mutualTls: MutualTls;
  readonly memory?: WatchMemory | undefined;
  readonly nowMs: () => number;
  readonly onProblems: (nodeId: string, problems: readonly Problem[]) => void;
}

interface FollowedProxy {
  readonly feed: ProxyFeed;
  /** The service whose intentions are followed for it. */
  service: ServiceName | undefined;
  linger: NodeJS.Timeout | undefined;
}

/** A feed for every proxy that somebody asks for, by node id. */
export class ProxyFeeds {
  readonly #options: ProxyFeedsOptions;
  readonly #followed = new Map<string, FollowedProxy>();
  #datacenter = '';

  constructor(options: ProxyFeedsOptions) {
    this.#options = options;
  }

  /** The datacenter of the agents asked, as the first registration told. */
  get datacenter(): string {
    return this.#datacenter;
  }

  all(): readonly (readonly [string, ProxyFeed])[] {
    return [...this.#followed].map(([nodeId, { feed }]) => [nodeId, feed] as const);
  }

  of(nodeId: string): ProxyFeed | undefined {
    return this.#followed.get(nodeId)?.feed;
  }

  want(nodeId: string): void {
    const followed = this.#followed.get(nodeId);
    if (followed !== undefined) {
      clearTimeout(followed.linger);
      followed.linger = undefined;
      return;
    }
    if (this.#followed.size >= MAX_PROXIES) {
      const message = `${MAX_PROXIES} proxies are served here already; run another control server beside this one`;
      this.#options.store.refuse(nodeId, { kind: 'unavailable', message });
      return;
    }
    const { consul, store, endpoints, mutualTls, memory, nowMs } = this.#options;
    const feed = new ProxyFeed({
      nodeId,
      consul,
      store,
      endpoints,
      mutualTls,
      memory,
      nowMs,
      mesh: (service) => this.#meshFor(service),
      onProblems: (problems) => this.#options.onProblems(nodeId, problems),
      onRegistration: (registration) => {
        this.#datacenter ||= registration.datacenter;
        this.#followIntentions(nodeId, registration.destinationService);
      },
    });
    this.#followed.set(nodeId, { feed, service: undefined, linger: undefined });
    feed.start();
  }

  unwant(nodeId: string): void {
    const followed = this.#followed.get(nodeId);
    if (followed === undefined) {
      this.#options.store.forget(nodeId);
      return;
    }
    clearTimeout(followed.linger);
    followed.linger = setTimeout(() => {
      followed.feed.stop();
      if (followed.service !== undefined) this.#options.intentions.release(followed.service);
      this.#followed.delete(nodeId);
      this.#options.store.forget(nodeId);
    }, LINGER_MS);
    followed.linger.unref();
  }

  refresh(change: EntriesChange): void {
    for (const { feed } of this.#followed.values()) feed.refresh(change);
  }

  assignmentArrived(name: string): void {
    for (const { feed } of this.#followed.values()) feed.assignmentArrived(name);
  }

  stop(): void {
    for (const { feed, linger } of this.#followed.values()) {
      clearTimeout(linger);
      feed.stop();
    }
    this.#followed.clear();
  }

  #followIntentions(nodeId: string, service: ServiceName): void {
    const followed = this.#followed.get(nodeId);
    if (followed === undefined || followed.service === service) return;
    const before = followed.service;
    followed.service = service;
    this.#options.intentions.retain(service);
    if (before !== undefined) this.#options.intentions.release(before);
  }

  /** With what sidecars of this service secure themselves by; undefined while part of it was never read. */
  #meshFor(service: ServiceName): MeshState | undefined {
    const { mutualTls: mode, intentions } = this.#options;
    const mesh = this.mesh();
    if (mode === 'off' || mesh === undefined) return mesh;
    const known = intentions.of(service);
    return known === 'pending' ? undefined : { ...mesh, mutualTls: { mode, intentions: known } };
  }

  /** What resources of all kinds are made of; undefined while part of it was never read. */
  mesh(): MeshState | undefined {
    const { entries } = this.#options.consul.entries.state;
    const { trustDomain } = this.#options.trustDomain;
    return entries === undefined || trustDomain === undefined ? undefined : { entries, trustDomain };
  }
}
