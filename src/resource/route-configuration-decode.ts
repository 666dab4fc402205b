import { decodeTypedPerFilterConfig } from './extension-decode.ts';
import { decodeHeaderMutations } from './header-mutation-decode.ts';
import type { MessageReader } from './message-reader.ts';
import { decodeRateLimits } from './rate-limit-policy-decode.ts';
import { decodeHedgePolicy, decodeRetryPolicy } from './retry-policy-decode.ts';
import { decodeMirrorPolicies } from './route-action-decode.ts';
import type { RouteConfiguration, TypedExtension, VirtualHost } from './route-configuration.ts';
import { decodeRoute, type RouteInheritance } from './route-decode.ts';

export const ROUTE_CONFIGURATION_MESSAGE = 'envoy.config.route.v3.RouteConfiguration';

/** Envoy's `max_direct_response_body_size_bytes`. */
const DEFAULT_MAX_DIRECT_RESPONSE_BODY_BYTES = 4096;

/** envoy.config.route.v3.RouteConfiguration. Whether its clusters exist is for whoever holds them all. */
export function decodeRouteConfiguration(reader: MessageReader): RouteConfiguration {
  reader.refuse(
    'vhds',
    'internal_only_headers',
    'most_specific_header_mutations_wins',
    'cluster_specifier_plugins',
    'ignore_path_parameters_in_path_matching',
  );
  const inheritance = {
    mirrorPolicies: decodeMirrorPolicies(reader),
    maxDirectResponseBodyBytes:
      reader.wrappedNumber('max_direct_response_body_size_bytes') ?? DEFAULT_MAX_DIRECT_RESPONSE_BODY_BYTES,
  };
  const filterConfigs = decodeTypedPerFilterConfig(reader);
  const virtualHosts = reader
    .messages('virtual_hosts')
    .map((virtualHost) => decodeVirtualHost(virtualHost, inheritance, filterConfigs));
  refuseSharedDomains(reader, virtualHosts);
  return {
    name: reader.string('name'),
    virtualHosts,
    headers: decodeHeaderMutations(reader),
    ignorePortInHostMatching: reader.boolean('ignore_port_in_host_matching'),
  };
}

/** `virtual_clusters` and the attempt-count headers only count and report; they are read past. */
function decodeVirtualHost(
  reader: MessageReader,
  inheritance: RouteInheritance,
  inheritedFilterConfigs: ReadonlyMap<string, TypedExtension>,
): VirtualHost {
  reader.refuse('matcher', 'require_tls', 'retry_policy_typed_config');
  if (reader.has('cors')) reader.fault('cors', 'is not supported; use typed_per_filter_config');
  const ownMirrors = decodeMirrorPolicies(reader);
  const forRoutes = ownMirrors.length > 0 ? { ...inheritance, mirrorPolicies: ownMirrors } : inheritance;
  return {
    name: reader.requiredString('name'),
    domains: decodeDomains(reader),
    routes: reader.messages('routes').map((route) => decodeRoute(route, forRoutes)),
    headers: decodeHeaderMutations(reader),
    retryPolicy: decodeRetryPolicy(reader.message('retry_policy')),
    hedgePolicy: decodeHedgePolicy(reader.message('hedge_policy')),
    rateLimits: decodeRateLimits(reader),
    typedPerFilterConfig: new Map([...inheritedFilterConfigs, ...decodeTypedPerFilterConfig(reader)]),
  };
}

function decodeDomains(reader: MessageReader): readonly string[] {
  const domains = reader.strings('domains').map((domain) => domain.toLowerCase());
  if (domains.length === 0) reader.fault('domains', 'must not be empty');
  domains.forEach((domain, index) => {
    const literal = domain.replace(/^\*|\*$/, '');
    if (domain === '' || literal.includes('*') || /[\s/\0]/.test(domain)) {
      reader.fault(`domains[${index}]`, `${JSON.stringify(domain)} must be a host, *.suffix, prefix.* or *`);
    }
  });
  return domains;
}

/** A request must have one virtual host: no domain may stand in two, nor twice in one. */
function refuseSharedDomains(reader: MessageReader, virtualHosts: readonly VirtualHost[]): void {
  const ownerByDomain = new Map<string, string>();
  virtualHosts.forEach((virtualHost, hostIndex) => {
    virtualHost.domains.forEach((domain, index) => {
      const owner = ownerByDomain.get(domain);
      if (owner === undefined) ownerByDomain.set(domain, virtualHost.name);
      else reader.fault(`virtual_hosts[${hostIndex}].domains[${index}]`, `${domain} is already a domain of ${owner}`);
    });
  });
}
