import type { Random } from '../../base/random.ts';
import type { FilterChain, Listener } from '../../resource/listener.ts';
import type { RouteConfiguration } from '../../resource/route-configuration.ts';
import type { ClusterSet } from '../cluster/cluster-set.ts';
import type { RuntimeConfig, RuntimeFilterChain, RuntimeListener } from '../listener/runtime-listener.ts';
import { RouteTable } from '../route/route-table.ts';
import { rdsNamesOf } from './references.ts';
import type { WorkerUpdate } from './worker-update.ts';

/** Lives in a worker: takes updates and compiles the parts that changed into the next RuntimeConfig; the rest is shared. */
export class RuntimeConfigBuilder {
  readonly #clusters: ClusterSet;
  readonly #random: Random;
  readonly #listeners = new Map<string, Listener>();
  readonly #routeConfigurations = new Map<string, RouteConfiguration>();
  readonly #tables = new Map<string, RouteTable>();
  #runtimeListeners: ReadonlyMap<string, RuntimeListener> = new Map();

  constructor(clusters: ClusterSet, random: Random) {
    this.#clusters = clusters;
    this.#random = random;
  }

  /** Clusters and endpoints move at once, in place; the return is undefined where no listener or route did. */
  apply(update: WorkerUpdate): RuntimeConfig | undefined {
    for (const cluster of update.clusters) this.#clusters.upsert(cluster);
    for (const assignment of update.assignments) this.#clusters.assign(assignment);
    const touched = this.#touchedListeners(update);
    this.#takeRoutes(update);
    for (const name of update.removedListeners) this.#listeners.delete(name);
    for (const listener of update.listeners) this.#listeners.set(listener.name, listener);
    const config =
      touched.size === 0 && update.removedListeners.length === 0 ? undefined : this.#rebuild(touched, update.version);
    // Break after make: routes that no longer name a removed cluster are in place by now.
    for (const name of update.removedClusters) this.#clusters.remove(name);
    return config;
  }

  #takeRoutes(update: WorkerUpdate): void {
    for (const name of update.removedRouteConfigurations) {
      this.#routeConfigurations.delete(name);
      this.#tables.delete(name);
    }
    for (const configuration of update.routeConfigurations) {
      this.#routeConfigurations.set(configuration.name, configuration);
      this.#tables.set(configuration.name, new RouteTable(configuration, this.#random));
    }
  }

  #touchedListeners(update: WorkerUpdate): Set<string> {
    const touched = new Set(update.listeners.map((listener) => listener.name));
    const routes = new Set([
      ...update.routeConfigurations.map((configuration) => configuration.name),
      ...update.removedRouteConfigurations,
    ]);
    if (routes.size === 0) return touched;
    for (const listener of this.#listeners.values()) {
      if (rdsNamesOf(listener).some((name) => routes.has(name))) touched.add(listener.name);
    }
    return touched;
  }

  #rebuild(touched: ReadonlySet<string>, version: number): RuntimeConfig {
    const listeners = new Map<string, RuntimeListener>();
    for (const [name, listener] of this.#listeners) {
      const kept = touched.has(name) ? undefined : this.#runtimeListeners.get(name);
      listeners.set(name, kept ?? this.#compileListener(listener));
    }
    this.#runtimeListeners = listeners;
    return { version, listeners, clusters: this.#clusters };
  }

  #compileListener(listener: Listener): RuntimeListener {
    return {
      listener,
      chains: listener.filterChains.flatMap((chain) => this.#compileChain(chain)),
      defaultChain:
        listener.defaultFilterChain === undefined ? undefined : this.#compileChain(listener.defaultFilterChain)[0],
    };
  }

  /** The last network filter is the terminal one; those before it are compiled by the listener that runs them. */
  #compileChain(chain: FilterChain): RuntimeFilterChain[] {
    const terminal = chain.filters.at(-1);
    switch (terminal?.kind) {
      case 'httpConnectionManager': {
        const { routes } = terminal.config;
        const table =
          routes.kind === 'inline'
            ? new RouteTable(routes.routeConfiguration, this.#random)
            : (this.#tables.get(routes.routeConfigName) ?? this.#emptyTable(routes.routeConfigName));
        return [{ kind: 'http', chain, manager: terminal.config, routes: table }];
      }
      case 'tcpProxy':
        return [{ kind: 'tcp', chain, proxy: terminal.config }];
      default:
        return [];
    }
  }

  /** Only after the initial fetch timeout: every request is answered 404 `route_not_found` until the routes arrive. */
  #emptyTable(name: string): RouteTable {
    const headers = {
      requestHeadersToAdd: [],
      requestHeadersToRemove: [],
      responseHeadersToAdd: [],
      responseHeadersToRemove: [],
    };
    return new RouteTable({ name, virtualHosts: [], headers, ignorePortInHostMatching: false }, this.#random);
  }
}
