import { serviceName } from './catalog.ts';
import type { FailoverTarget, Target } from './discovery-chain.ts';
import type { EndpointGroup, EndpointSource } from './translated-proxy.ts';

/** The instances behind a target: its own, and those of the targets it fails over to. */
export function endpointGroup(name: string, target: Target): EndpointGroup {
  const own = { name, ...endpointSource(target) };
  return target.failover.length === 0 ? own : { ...own, failover: target.failover.map(endpointSource) };
}

function endpointSource({ service, datacenter, filter, onlyPassing }: FailoverTarget): EndpointSource {
  return { query: { service: serviceName(service), datacenter, filter }, onlyPassing };
}
