import type { Random } from '../../base/random.ts';
import type { RouteConfiguration, VirtualHost } from '../../resource/route-configuration.ts';
import { CompiledRoute } from './compiled-route.ts';
import type { MatchableRequest } from './header-match.ts';

interface CompiledVirtualHost {
  readonly name: string;
  readonly routes: readonly CompiledRoute[];
}

/**
 * A RouteConfiguration compiled for matching. Virtual hosts in Envoy's order: exact domain, then the longest suffix
 * wildcard (`*.example.com`), then the longest prefix wildcard (`example.*`), then `*`; inside one, the first route wins.
 */
export class RouteTable {
  readonly name: string;
  readonly #exact = new Map<string, CompiledVirtualHost>();
  /** Longest first. */
  readonly #suffixes: { readonly suffix: string; readonly host: CompiledVirtualHost }[] = [];
  readonly #prefixes: { readonly prefix: string; readonly host: CompiledVirtualHost }[] = [];
  #catchAll: CompiledVirtualHost | undefined;
  readonly #routes: CompiledRoute[] = [];
  readonly #ignorePort: boolean;
  readonly #random: Random;

  constructor(configuration: RouteConfiguration, random: Random) {
    this.name = configuration.name;
    this.#ignorePort = configuration.ignorePortInHostMatching;
    this.#random = random;
    for (const virtualHost of configuration.virtualHosts) this.#add(virtualHost, configuration);
    this.#suffixes.sort((a, b) => b.suffix.length - a.suffix.length);
    this.#prefixes.sort((a, b) => b.prefix.length - a.prefix.length);
  }

  get all(): readonly CompiledRoute[] {
    return this.#routes;
  }

  /** Every route that says something about filters. */
  *routesWithFilterConfigs(): Iterable<CompiledRoute> {
    for (const route of this.#routes) if (route.filterConfigs !== undefined) yield route;
  }

  match(request: MatchableRequest): CompiledRoute | undefined {
    const host = this.#virtualHostOf(request.authority);
    if (host === undefined) return undefined;
    const queryAt = request.path.indexOf('?');
    const path = queryAt < 0 ? request.path : request.path.slice(0, queryAt);
    const { routes } = host;
    for (let index = 0; index < routes.length; index++) {
      const route = routes[index];
      if (route?.matches(request, path, this.#random)) return route;
    }
    return undefined;
  }

  #virtualHostOf(authority: string): CompiledVirtualHost | undefined {
    // Most tables of a sidecar have the one catch-all host.
    if (this.#exact.size === 0 && this.#suffixes.length === 0 && this.#prefixes.length === 0) return this.#catchAll;
    const domain = this.#ignorePort ? withoutPort(authority.toLowerCase()) : authority.toLowerCase();
    const exact = this.#exact.get(domain);
    if (exact !== undefined) return exact;
    for (const { suffix, host } of this.#suffixes)
      if (domain.length > suffix.length && domain.endsWith(suffix)) return host;
    for (const { prefix, host } of this.#prefixes)
      if (domain.length > prefix.length && domain.startsWith(prefix)) return host;
    return this.#catchAll;
  }

  #add(virtualHost: VirtualHost, configuration: RouteConfiguration): void {
    const host: CompiledVirtualHost = {
      name: virtualHost.name,
      routes: virtualHost.routes.map((route, index) => new CompiledRoute(route, index, virtualHost, configuration)),
    };
    this.#routes.push(...host.routes);
    for (const domain of virtualHost.domains) {
      if (domain === '*') this.#catchAll = host;
      else if (domain.startsWith('*')) this.#suffixes.push({ suffix: domain.slice(1), host });
      else if (domain.endsWith('*')) this.#prefixes.push({ prefix: domain.slice(0, -1), host });
      else this.#exact.set(domain, host);
    }
  }
}

function withoutPort(authority: string): string {
  const colon = authority.lastIndexOf(':');
  return colon > authority.lastIndexOf(']') ? authority.slice(0, colon) : authority;
}
