/** A chain after compilation, in the form of Consul's own answer: a graph of nodes by key, and the targets they end in by id. */
export interface CompiledChain<Route, Split, Balancer> {
  readonly service: string;
  readonly datacenter: string;
  readonly protocol: string;
  /** No router, no splitter, and a resolver that says nothing. */
  readonly isDefault: boolean;
  readonly customizedBy: Customization;
  readonly startNode: string;
  readonly nodes: ReadonlyMap<string, ChainNode<Route, Split, Balancer>>;
  readonly targets: ReadonlyMap<string, ChainTarget>;
}

/** Which overrides of the request changed the outcome. */
export interface Customization {
  readonly meshGateway: boolean;
  readonly protocol: boolean;
  readonly connectTimeout: boolean;
}

export type ChainNode<Route, Split, Balancer> =
  | RouterNode<Route>
  | SplitterNode<Split, Balancer>
  | ResolverNode<Balancer>;

export interface RouterNode<Route> {
  readonly type: 'router';
  readonly name: string;
  /** The last one, without a definition, takes what no route of the router took. */
  readonly routes: readonly { readonly definition: Route | undefined; readonly nextNode: string }[];
}

export interface SplitterNode<Split, Balancer> {
  readonly type: 'splitter';
  readonly name: string;
  readonly splits: readonly CompiledSplit<Split>[];
  /** Of the first target that hashes: one list of hash policies has to do for all. */
  readonly loadBalancer: Balancer | undefined;
}

export interface CompiledSplit<Split> {
  readonly weight: number;
  readonly definition: Split;
  readonly nextNode: string;
}

export interface ResolverNode<Balancer> {
  readonly type: 'resolver';
  readonly name: string;
  readonly isDefault: boolean;
  readonly target: string;
  readonly connectTimeoutMs: number;
  /** 0: not set. */
  readonly requestTimeoutMs: number;
  /** Ids of the targets to turn to while the own one has no healthy instance. */
  readonly failover: readonly string[];
  readonly loadBalancer: Balancer | undefined;
}

export interface ChainTarget {
  readonly id: string;
  readonly service: string;
  readonly subset: string;
  /** Empty for one of a peer. */
  readonly datacenter: string;
  readonly peer: string;
  readonly connectTimeoutMs: number;
  readonly meshGatewayMode: string;
  readonly dialedDirectly: boolean;
  /** Empty: the one made of the target's name. */
  readonly externalSni: string;
}

/** `router:web.default.default`: under which a node is found. */
export function nodeKey(type: ChainNode<unknown, unknown, unknown>['type'], name: string): string {
  return `${type}:${name}`;
}

/** Consul's id of a target; namespace and partition are always `default` outside its enterprise edition. */
export function targetId(target: Pick<ChainTarget, 'service' | 'subset' | 'datacenter' | 'peer'>): string {
  const name = `${target.service}.default.default`;
  if (target.peer !== '') return `${name}.external.${target.peer}`;
  const prefix = target.subset === '' ? '' : `${target.subset}.`;
  return `${prefix}${name}.${target.datacenter}`;
}
