import {
  CLUSTER_LOAD_ASSIGNMENT_TYPE,
  CLUSTER_TYPE,
  LISTENER_TYPE,
  ROUTE_CONFIGURATION_TYPE,
} from '../resource/type-url.ts';
import {
  buildSnapshot,
  type EncodedResource,
  type NodeIdentity,
  type SnapshotListener,
  type SnapshotSource,
  type SnapshotSubscription,
  type TypeSnapshot,
} from '../xds/server/server.ts';
import type { EndpointFeed } from './endpoint-feed.ts';
import { GrpcResources, type KnownTargets } from './grpc-resources.ts';
import { ResourcesOnDemand } from './resources-on-demand.ts';
import { BurstMerger, type SnapshotStore } from './snapshot/snapshot.ts';
import { type EndpointGroup, errorAt, type GrpcScope, type Problem } from './translate/translate.ts';

export interface GrpcClientsOptions {
  readonly store: SnapshotStore;
  readonly endpoints: EndpointFeed;
  /** Undefined while something of it was never read: clients wait, and are told nothing that is not so. */
  readonly scope: () => GrpcScope | undefined;
  /** A mesh in which nobody is let in without a certificate; gRPC clients have none of the mesh. */
  readonly isStrict: boolean;
  readonly nowMs: () => number;
}

/** Clusters whose endpoints one client follows; a program that calls more services than this is a mistake. */
const MAX_GROUPS_PER_CLIENT = 1_000;

/** A gRPC client has no registration: what its user agent says tells it from a sidecar (`gRPC Node Pure JS`, `gRPC C-core linux`, …). */
export function isGrpcClient({ userAgentName }: NodeIdentity): boolean {
  return /^grpc\b/i.test(userAgentName);
}

/**
 * Every stream of a gRPC client: listeners, routes and clusters are made as it asks for them by name, and from then on its
 * endpoints are followed, until the stream ends. A service without instances is served as one that has none, so that
 * nothing is ever withdrawn: a client that is told that a resource is gone may never take it again.
 */
export class GrpcClients implements SnapshotSource {
  readonly #options: GrpcClientsOptions;
  readonly #streams = new Set<ClientStream>();
  readonly #knownTargets: KnownTargets = new Map();
  readonly #refreshes: BurstMerger;
  #resources: GrpcResources | undefined;
  #generation = 0;

  constructor(options: GrpcClientsOptions) {
    this.#options = options;
    this.#refreshes = new BurstMerger(() => this.#refresh(), options.nowMs);
  }

  open(node: NodeIdentity, listener: SnapshotListener): SnapshotSubscription {
    const stream = new ClientStream(`gRPC client ${node.id}`, listener, this.#options);
    this.#streams.add(stream);
    if (this.#resources === undefined) this.refresh();
    else stream.use(this.#resources, this.#generation);
    return {
      close: () => {
        this.#streams.delete(stream);
        stream.close();
      },
    };
  }

  /** Something that resources are made of has changed. */
  refresh(): void {
    if (this.#streams.size > 0) this.#refreshes.request();
    // Made anew for the next client.
    else this.#resources = undefined;
  }

  assignmentsChanged(names: ReadonlySet<string>): void {
    for (const stream of this.#streams) stream.assignmentsChanged(names);
  }

  problems(): readonly Problem[] {
    return [...(this.#resources?.problems() ?? []), ...[...this.#streams].flatMap((stream) => stream.problems())];
  }

  stop(): void {
    this.#refreshes.stop();
    for (const stream of this.#streams) stream.close();
    this.#streams.clear();
  }

  #refresh(): void {
    const scope = this.#options.scope();
    if (scope === undefined) return;
    this.#generation += 1;
    this.#resources = new GrpcResources(scope, this.#options.store, this.#knownTargets);
    for (const stream of this.#streams) stream.use(this.#resources, this.#generation);
  }
}

class ClientStream {
  readonly #where: string;
  readonly #listener: SnapshotListener;
  readonly #options: GrpcClientsOptions;
  /** The clusters whose endpoints this client follows. */
  readonly #groups = new Map<string, EndpointGroup>();
  readonly #serving: BurstMerger;
  /** All types but the endpoints. */
  #types: readonly (readonly [string, TypeSnapshot])[] = [];
  #fault: string | undefined;
  #isClosed = false;

  constructor(where: string, listener: SnapshotListener, options: GrpcClientsOptions) {
    this.#where = where;
    this.#listener = listener;
    this.#options = options;
    this.#serving = new BurstMerger(() => this.#serve(), options.nowMs);
  }

  use(resources: GrpcResources, generation: number): void {
    const onDemand = (make: (name: string) => EncodedResource | undefined): TypeSnapshot => ({
      version: String(generation),
      resources: new ResourcesOnDemand(make),
      explain: this.#options.isStrict ? () => ({ code: PERMISSION_DENIED, message: NO_CERTIFICATE }) : explainName,
    });
    this.#types = [
      [LISTENER_TYPE, onDemand((name) => this.#service(resources, name)?.listener)],
      [ROUTE_CONFIGURATION_TYPE, onDemand((name) => this.#service(resources, name)?.routeConfiguration)],
      [CLUSTER_TYPE, onDemand((name) => this.#cluster(resources, name)?.cluster)],
    ];
    this.#serve();
  }

  assignmentsChanged(names: ReadonlySet<string>): void {
    for (const name of this.#groups.keys()) {
      if (!names.has(name)) continue;
      this.#serve();
      return;
    }
  }

  problems(): readonly Problem[] {
    const fault = this.#options.isStrict ? NO_CERTIFICATE : this.#fault;
    return fault === undefined ? [] : [errorAt(this.#where, fault)];
  }

  close(): void {
    this.#isClosed = true;
    this.#serving.stop();
    for (const name of this.#groups.keys()) this.#options.endpoints.release(name);
    this.#groups.clear();
  }

  #service(resources: GrpcResources, name: string): ReturnType<GrpcResources['service']> {
    // What it would send in plaintext, no sidecar takes: it is told at once instead of finding out call by call.
    if (this.#options.isStrict) return undefined;
    const served = resources.service(name);
    for (const group of served?.endpointGroups ?? []) this.#follow(group);
    return served;
  }

  #cluster(resources: GrpcResources, name: string): ReturnType<GrpcResources['cluster']> {
    if (this.#options.isStrict) return undefined;
    const served = resources.cluster(name);
    if (served !== undefined) this.#follow(served.endpointGroup);
    return served;
  }

  /** Asked for once, followed until the stream ends; under other terms where an entry changes them. */
  #follow(group: EndpointGroup): void {
    const before = this.#groups.get(group.name);
    if (this.#isClosed || isSame(before, group)) return;
    if (before === undefined && this.#groups.size >= MAX_GROUPS_PER_CLIENT) {
      this.#fault = `asks for more than ${MAX_GROUPS_PER_CLIENT} clusters; those beyond it get no endpoints`;
      return;
    }
    try {
      this.#options.endpoints.retain(group);
      this.#groups.set(group.name, group);
      if (before !== undefined) this.#options.endpoints.release(group.name);
      this.#serving.request();
    } catch (error) {
      // A bound that was reached: this cluster waits, and everything else goes on.
      this.#fault = error instanceof Error ? error.message : String(error);
    }
  }

  #serve(): void {
    if (this.#isClosed || this.#types.length === 0) return;
    const known = [...this.#groups.keys()].map((name) => this.#options.store.assignment(name));
    const { version, types } = buildSnapshot(known.filter((assignment) => assignment !== undefined));
    const endpoints = types.get(CLUSTER_LOAD_ASSIGNMENT_TYPE);
    const generation = this.#types[0]?.[1].version ?? '';
    this.#listener.onSnapshot({
      version: `${generation}-${version}`,
      types: new Map(
        endpoints === undefined ? this.#types : [...this.#types, [CLUSTER_LOAD_ASSIGNMENT_TYPE, endpoints]],
      ),
    });
  }
}

/** google.rpc.Code */
const NOT_FOUND = 5;
const PERMISSION_DENIED = 7;

const NO_CERTIFICATE =
  'gRPC clients without a sidecar have no certificate of the mesh, and with --mtls strict nobody is let in without one: call ' +
  'through a sidecar, or run the control server with --mtls permissive';

/** Why a name is not served: all that could be a service's are. */
function explainName(name: string): { readonly code: number; readonly message: string } {
  const message = name.startsWith('grpc/server')
    ? 'listeners of gRPC servers are not served here'
    : 'no service of Consul can have this name, or its config entries contradict each other; the console says which';
  return { code: NOT_FOUND, message };
}

function isSame(a: EndpointGroup | undefined, b: EndpointGroup): boolean {
  return a === b || (a !== undefined && JSON.stringify(a) === JSON.stringify(b));
}
