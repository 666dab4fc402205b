import type { EncodedResource } from '../xds/server/server.ts';
import type { ResourceLiteral, SnapshotStore } from './snapshot/snapshot.ts';
import {
  type EndpointGroup,
  errorAt,
  type GrpcScope,
  grpcCluster,
  grpcEndpointGroup,
  isServiceName,
  type Problem,
  type Target,
  targetNamed,
  translateGrpcService,
} from './translate/translate.ts';

/** One service as its clients are told of it. */
export interface ServedService {
  readonly listener: EncodedResource | undefined;
  readonly routeConfiguration: EncodedResource | undefined;
  readonly endpointGroups: readonly EndpointGroup[];
}

export interface ServedCluster {
  readonly cluster: EncodedResource | undefined;
  readonly endpointGroup: EndpointGroup;
}

/** Names remembered; beyond it all are forgotten and made again when they are asked for. */
const MAX_REMEMBERED = 10_000;

/** The last good target of each cluster's name: a subset that an entry has lost stays what it was for routes that still name it. */
export type KnownTargets = Map<string, Target>;

/**
 * The resources of gRPC clients under the config entries of one moment: made when somebody asks for them, once, and shared
 * by all clients. Endpoints are not among them.
 */
export class GrpcResources {
  readonly #scope: GrpcScope;
  readonly #store: SnapshotStore;
  readonly #knownTargets: KnownTargets;
  readonly #services = new Map<string, ServedService>();
  readonly #clusters = new Map<string, ServedCluster | undefined>();
  readonly #problems = new Map<string, readonly Problem[]>();

  constructor(scope: GrpcScope, store: SnapshotStore, knownTargets: KnownTargets) {
    this.#scope = scope;
    this.#store = store;
    this.#knownTargets = knownTargets;
  }

  /** Undefined for a name that can be no service's. */
  service(name: string): ServedService | undefined {
    const known = this.#services.get(name);
    if (known !== undefined || !isServiceName(name)) return known;
    const { listener, routeConfiguration, targets, problems } = translateGrpcService(name, this.#scope);
    const found: Problem[] = [...problems];
    const served = {
      listener: this.#encode(listener, found),
      routeConfiguration: routeConfiguration === undefined ? undefined : this.#encode(routeConfiguration, found),
      endpointGroups: targets.map(([cluster, target]) => grpcEndpointGroup(cluster, target)),
    };
    for (const [cluster, target] of targets) remember(this.#knownTargets, cluster, target);
    if (found.length > 0) remember(this.#problems, name, found);
    remember(this.#services, name, served);
    return served;
  }

  /** Undefined for a name that no cluster of ours can have. */
  cluster(name: string): ServedCluster | undefined {
    if (this.#clusters.has(name)) return this.#clusters.get(name);
    const target = this.#target(name);
    if (target === undefined) return undefined;
    const served = {
      cluster: this.#encode(grpcCluster(name, target), []),
      endpointGroup: grpcEndpointGroup(name, target),
    };
    remember(this.#clusters, name, served);
    return served;
  }

  problems(): readonly Problem[] {
    return [...this.#problems.values()].flat();
  }

  #target(cluster: string): Target | undefined {
    const target = targetNamed(cluster, this.#scope);
    const known = this.#knownTargets.get(cluster);
    return known !== undefined && known.subset !== target?.subset ? known : target;
  }

  #encode(literal: ResourceLiteral, problems: Problem[]): EncodedResource | undefined {
    const encoded = this.#store.encode(literal);
    if (encoded.ok) return encoded.resource;
    problems.push(errorAt(`gRPC clients of ${literal.name}`, encoded.message));
    return undefined;
  }
}

function remember<T>(names: Map<string, T>, name: string, value: T): void {
  if (names.size >= MAX_REMEMBERED && !names.has(name)) names.clear();
  names.set(name, value);
}
