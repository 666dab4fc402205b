/**
 * Would a change of config entries leave some service's routing impossible? Consul refuses such a write whole, so that no
 * reader ever meets a chain that cannot be compiled: layer-7 entries over a tcp service, mixed protocols, subsets that do not exist,
 * circles of redirects or splitters.
 */
import { ChainFault, compileChain, isHttpLike, NO_OVERRIDES } from '../../discovery-chain/discovery-chain.ts';
import { ApiError } from '../api-error.ts';
import { textField } from '../input/fields.ts';
import { isJsonObject, type JsonObject } from '../input/shape.ts';
import { chainEntries, type EntryView } from './chain-entries.ts';
import { objects } from './kind.ts';

const CHAIN_KINDS = ['service-router', 'service-splitter', 'service-resolver'];
const ANY_CHAIN = new Set([...CHAIN_KINDS, 'service-defaults', 'proxy-defaults', 'service-intentions']);

/** Throws what Consul's servers answer (500) where a chain that this entry has a say in could not be compiled with `view`. */
export function refuseBrokenGraph(view: EntryView, kind: string, name: string): void {
  if (!ANY_CHAIN.has(kind)) return;
  const permitting = layer7Intentions(view, kind, name);
  const protocols = new Map<string, string>();
  const entries = chainEntries(view);
  for (const service of new Set([...affectedChains(view, kind, name), ...permitting])) {
    try {
      const request = { service, datacenter: view.datacenter, overrides: NO_OVERRIDES };
      protocols.set(service, compileChain(request, entries).protocol);
    } catch (error) {
      if (error instanceof ChainFault) throw new ApiError(500, error.message);
      throw error;
    }
  }
  for (const service of permitting) {
    const protocol = protocols.get(service) ?? 'tcp';
    if (isHttpLike(protocol)) continue;
    const said = `service ${JSON.stringify(service)} has protocol ${JSON.stringify(protocol)}`;
    throw new ApiError(500, `${said}, which is incompatible with L7 intentions permissions`);
  }
}

/** Consul looks at the chain of the entry's own service, and at those whose entries name it. */
function affectedChains(view: EntryView, kind: string, name: string): readonly string[] {
  if (kind === 'service-intentions') return [];
  const all = CHAIN_KINDS.flatMap((each) => view.names(each).map((other) => [each, other] as const));
  if (kind === 'proxy-defaults') return all.map(([, other]) => other);
  return [name, ...all.filter(([each, other]) => names(view.get(each, other) ?? {}, name)).map(([, other]) => other)];
}

/** Destinations of intentions that judge requests one by one: these need a protocol that has requests. */
function layer7Intentions(view: EntryView, kind: string, name: string): readonly string[] {
  const considered = kind === 'service-intentions' ? [name] : view.names('service-intentions');
  return considered.filter((destination) => {
    const sources = objects(view.get('service-intentions', destination)?.['Sources']);
    return destination !== '*' && sources.some((source) => objects(source['Permissions']).length > 0);
  });
}

/** Whether a router, splitter or resolver sends anything to this service. */
function names(entry: JsonObject, service: string): boolean {
  const destinations = objects(entry['Routes']).map((route) => route['Destination']);
  const failovers = isJsonObject(entry['Failover']) ? Object.values(entry['Failover']) : [];
  const targets = failovers.flatMap((rule) => (isJsonObject(rule) ? objects(rule['Targets']) : []));
  return [...destinations, ...objects(entry['Splits']), entry['Redirect'], ...failovers, ...targets].some(
    (named) => isJsonObject(named) && textField(named, 'Service') === service,
  );
}
