import type { ChainEntries, ChainResolver, TargetChange } from './chain-entries.ts';
import { ChainFault, type EntryName } from './chain-fault.ts';
import type { ChainRequest } from './chain-request.ts';
import {
  type ChainNode,
  type ChainTarget,
  type CompiledChain,
  type CompiledSplit,
  nodeKey,
  type ResolverNode,
  type SplitterNode,
  targetId,
} from './compiled-chain.ts';
import { isHttpLike } from './protocol.ts';

/** Consul's default for a resolver's ConnectTimeout. */
const DEFAULT_CONNECT_TIMEOUT_MS = 5_000;

type TargetName = Pick<ChainTarget, 'service' | 'subset' | 'datacenter' | 'peer'>;

/** One compilation: nodes are made as they are met, each once, from the service's own router down. */
export class ChainCompiler<Route, Split, Balancer> {
  readonly nodes = new Map<string, ChainNode<Route, Split, Balancer>>();
  readonly #request: ChainRequest;
  readonly #entries: ChainEntries<Route, Split, Balancer>;
  readonly #names = new Map<string, TargetName>();
  readonly #targets = new Map<string, ChainTarget>();
  readonly #customizedBy = { meshGateway: false, protocol: false, connectTimeout: false };
  /** Whether the asker wants bytes carried, whatever the entries say. */
  readonly #ignoresRouting: boolean;
  /** The protocol that all services of the chain share; empty until the first is met. */
  #protocol = '';
  #routes = false;

  constructor(request: ChainRequest, entries: ChainEntries<Route, Split, Balancer>) {
    this.#request = request;
    this.#entries = entries;
    const { protocol } = request.overrides;
    this.#ignoresRouting = protocol !== '' && !isHttpLike(protocol);
  }

  /** Makes all nodes, and gives the key of the first. */
  assemble(): string {
    const { service } = this.#request;
    const entry: EntryName = { kind: 'service-router', name: service };
    const routes = this.#unlessIgnored(this.#entries.router(service));
    if (routes === undefined) return this.#splitterOrResolver(service, entry);
    this.#routes = true;
    this.#meetProtocol(service);
    const compiled = routes.map(({ service: named, subset, definition }) => ({
      definition,
      nextNode: this.#routeDestination(named === '' ? service : named, subset, entry),
    }));
    const catchAll = { definition: undefined, nextNode: this.#splitterOrResolver(service, entry) };
    return this.#keep({ type: 'router', name: nodeName(service), routes: [...compiled, catchAll] });
  }

  finish(
    startNode: string,
    nodes: ReadonlyMap<string, ChainNode<Route, Split, Balancer>>,
  ): CompiledChain<Route, Split, Balancer> {
    const { service, datacenter, overrides } = this.#request;
    if (this.#routes && !isHttpLike(this.#protocol)) {
      throw new ChainFault(
        { kind: 'service-defaults', name: service },
        `discovery chain ${quoted(service)} uses a protocol ${quoted(this.#protocol)} that does not permit advanced routing or splitting behavior`,
      );
    }
    const isOverridden = overrides.protocol !== '' && overrides.protocol !== this.#protocol;
    if (isOverridden) this.#customizedBy.protocol = true;
    const start = nodes.get(startNode);
    const isDefault =
      start?.type === 'resolver' && start.isDefault && this.#targets.get(start.target)?.service === service;
    return {
      service,
      datacenter,
      protocol: isOverridden ? overrides.protocol : this.#protocol,
      isDefault,
      customizedBy: this.#customizedBy,
      startNode,
      nodes,
      targets: this.#targets,
    };
  }

  /** Who names a subset has chosen: a splitter of that service has no say. */
  #routeDestination(service: string, subset: string, entry: EntryName): string {
    if (subset === '') return this.#splitterOrResolver(service, entry);
    return this.#resolverKey(this.#target(service, subset), entry);
  }

  #splitterOrResolver(service: string, entry: EntryName): string {
    return this.#splitterKey(service)?.key ?? this.#resolverKey(this.#target(service, ''), entry);
  }

  #splitterKey(service: string): { readonly key: string } | undefined {
    const name = nodeName(service);
    const key = nodeKey('splitter', name);
    if (this.nodes.has(key)) return { key };
    const written = this.#unlessIgnored(this.#entries.splitter(service));
    if (written === undefined) return undefined;
    // Kept before its splits are followed, so that a circle ends here; it is told once the graph is whole.
    const splits: CompiledSplit<Split>[] = [];
    const node: SplitterNode<Split, Balancer> & { loadBalancer: Balancer | undefined } = {
      type: 'splitter',
      name,
      splits,
      loadBalancer: undefined,
    };
    this.#keep(node);
    const entry: EntryName = { kind: 'service-splitter', name: service };
    for (const { weight, service: named, subset, definition } of written) {
      const next = named === '' ? service : named;
      const inner = next !== service && subset === '' ? this.#splitterKey(next) : undefined;
      if (inner !== undefined) {
        splits.push({ weight, definition, nextNode: inner.key });
        continue;
      }
      const resolver = this.#resolver(this.#target(next, subset), entry, false);
      splits.push({ weight, definition, nextNode: nodeKey('resolver', resolver.name) });
      const { loadBalancer } = resolver;
      if (loadBalancer !== undefined && this.#entries.isHashing(loadBalancer)) node.loadBalancer ??= loadBalancer;
    }
    this.#routes = true;
    return { key };
  }

  #resolverKey(target: TargetName, entry: EntryName): string {
    return nodeKey('resolver', this.#resolver(target, entry, false).name);
  }

  /** Follows redirects and the default subset to where they end; the entry that names that place is kept for messages. */
  #resolver(first: TargetName, asker: EntryName, isFailover: boolean): ResolverNode<Balancer> {
    const redirects: string[] = [];
    let named = asker;
    for (let target = first; ; ) {
      const id = targetId(target);
      const known = this.nodes.get(nodeKey('resolver', id));
      if (known?.type === 'resolver') return known;
      if (target.peer === '') this.#meetProtocol(target.service);
      const resolver = this.#entries.resolver(target.service);
      const circle = redirects.includes(id);
      redirects.push(id);
      if (circle) {
        const message = `detected circular resolver redirect: [${redirects.join(' -> ')}]`;
        throw new ChainFault({ kind: 'service-resolver', name: target.service }, message);
      }
      const next = this.#next(target, resolver);
      if (next === undefined) return this.#make(target, resolver, named, isFailover);
      named = { kind: 'service-resolver', name: target.service };
      target = next;
    }
  }

  #next(target: TargetName, resolver: ChainResolver<Balancer> | undefined): TargetName | undefined {
    if (resolver?.redirect !== undefined) {
      const redirected = this.#changed(target, resolver.redirect);
      if (targetId(redirected) !== targetId(target)) return redirected;
    }
    if (target.subset !== '' || resolver === undefined || resolver.defaultSubset === '') return undefined;
    return this.#changed(target, { service: '', subset: resolver.defaultSubset, datacenter: '', peer: '' });
  }

  #make(
    target: TargetName,
    resolver: ChainResolver<Balancer> | undefined,
    named: EntryName,
    isFailover: boolean,
  ): ResolverNode<Balancer> {
    const { service, subset } = target;
    if (subset !== '' && resolver?.subsets.has(subset) !== true) {
      throw new ChainFault(named, `service ${quoted(service)} does not have a subset named ${quoted(subset)}`);
    }
    const connectTimeoutMs = this.#connectTimeoutMs(resolver);
    const id = targetId(target);
    this.#targets.set(id, { ...target, id, connectTimeoutMs, ...this.#reach(target, resolver) });
    const node = {
      type: 'resolver' as const,
      name: id,
      isDefault: resolver?.isDefault ?? true,
      target: id,
      connectTimeoutMs,
      requestTimeoutMs: resolver?.requestTimeoutMs ?? 0,
      failover: [] as string[],
      loadBalancer: resolver?.loadBalancer,
    };
    // A failover's own failover is not followed.
    if (isFailover) return node;
    this.#keep(node);
    const changes = resolver?.failover.get(subset) ?? resolver?.failover.get('*') ?? [];
    const entry: EntryName = { kind: 'service-resolver', name: service };
    for (const change of changes) {
      const other = this.#changed(target, change);
      // Nobody fails over to itself.
      if (targetId(other) !== id) node.failover.push(this.#resolver(other, entry, true).target);
    }
    return node;
  }

  #connectTimeoutMs(resolver: ChainResolver<Balancer> | undefined): number {
    const written = resolver?.connectTimeoutMs || DEFAULT_CONNECT_TIMEOUT_MS;
    const wanted = this.#request.overrides.connectTimeoutMs;
    if (wanted <= 0 || wanted === written) return written;
    this.#customizedBy.connectTimeout = true;
    return wanted;
  }

  /** By which way a target is reached: directly, over a gateway, or as something outside the mesh. */
  #reach(
    target: TargetName,
    resolver: ChainResolver<Balancer> | undefined,
  ): Pick<ChainTarget, 'meshGatewayMode' | 'dialedDirectly' | 'externalSni'> {
    const settings = this.#entries.serviceSettings(target.service);
    const { mesh } = this.#entries;
    if (settings !== undefined && settings.externalSni !== '') {
      refuseOutside(target.service, resolver);
      return { meshGatewayMode: '', dialedDirectly: false, externalSni: settings.externalSni };
    }
    const written = settings?.meshGatewayMode || mesh.meshGatewayMode;
    const wanted = this.#request.overrides.meshGatewayMode;
    if (wanted !== '' && wanted !== written) this.#customizedBy.meshGateway = true;
    return {
      meshGatewayMode: wanted === '' ? written : wanted,
      dialedDirectly: settings?.dialedDirectly === true || mesh.dialedDirectly,
      externalSni: '',
    };
  }

  #target(service: string, subset: string): TargetName {
    return this.#known({ service, subset, datacenter: this.#request.datacenter, peer: '' });
  }

  /** Ids leave out the subset at a peer: the first target of an id stands for all of them. */
  #known(target: TargetName): TargetName {
    const id = targetId(target);
    const known = this.#names.get(id);
    if (known === undefined) this.#names.set(id, target);
    return known ?? target;
  }

  /** Another service has other subsets; a target that names no peer is in a datacenter. */
  #changed(target: TargetName, change: TargetChange): TargetName {
    const service = change.service === '' ? target.service : change.service;
    const kept = service === target.service ? target.subset : '';
    const datacenter = change.datacenter || target.datacenter || this.#request.datacenter;
    return this.#known({
      service,
      subset: change.subset === '' ? kept : change.subset,
      datacenter: change.peer === '' ? datacenter : '',
      peer: change.peer,
    });
  }

  /** Consul's rule: a chain is of one protocol from end to end. */
  #meetProtocol(service: string): void {
    const settings = this.#entries.serviceSettings(service);
    const written = settings === undefined ? this.#entries.mesh.protocol : settings.protocol;
    const protocol = written === '' ? 'tcp' : written.toLowerCase();
    if (this.#protocol === '') this.#protocol = protocol;
    if (this.#protocol === protocol) return;
    throw new ChainFault(
      { kind: 'service-defaults', name: service },
      `discovery chain ${quoted(this.#request.service)} uses inconsistent protocols; ` +
        `service ${quoted(service)} has ${quoted(protocol)} which is not ${quoted(this.#protocol)}`,
    );
  }

  #unlessIgnored<T>(entry: T | undefined): T | undefined {
    if (entry === undefined || !this.#ignoresRouting) return entry;
    this.#customizedBy.protocol = true;
    return undefined;
  }

  #keep(node: ChainNode<Route, Split, Balancer>): string {
    const key = nodeKey(node.type, node.name);
    this.nodes.set(key, node);
    return key;
  }
}

/** What has an SNI of its own is outside the mesh, where none of this can be. */
function refuseOutside(service: string, resolver: ChainResolver<unknown> | undefined): void {
  const what = resolver?.redirect
    ? 'redirects'
    : (resolver?.subsets.size ?? 0) > 0
      ? 'subsets'
      : (resolver?.failover.size ?? 0) > 0
        ? 'failover'
        : undefined;
  if (what === undefined) return;
  throw new ChainFault(
    { kind: 'service-resolver', name: service },
    `service ${quoted(service)} has an external SNI set; cannot define ${what} for external services`,
  );
}

function nodeName(service: string): string {
  return `${service}.default.default`;
}

function quoted(text: string): string {
  return JSON.stringify(text);
}
