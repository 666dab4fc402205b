import { parseGoDurationMs } from '../../base/go-duration.ts';
import type {
  ChainEntries,
  ChainFailover,
  ChainResolver,
  TargetChange,
} from '../../discovery-chain/discovery-chain.ts';
import { textField } from '../input/fields.ts';
import { isJsonObject, type JsonObject } from '../input/shape.ts';
import { isSet, objects } from './kind.ts';

/** A view of the entries as they are, or as they would be after a change. */
export interface EntryView {
  readonly datacenter: string;
  get(kind: string, name: string): JsonObject | undefined;
  /** Names of all entries of a kind. */
  names(kind: string): readonly string[];
}

/** Stored entries, which are Consul's JSON in canonical form, as a chain is compiled from them. */
export function chainEntries(view: EntryView): ChainEntries<JsonObject, JsonObject, JsonObject> {
  const proxyDefaults = view.get('proxy-defaults', 'global') ?? {};
  return {
    mesh: { protocol: textField(objectField(proxyDefaults, 'Config'), 'protocol'), ...reachOf(proxyDefaults) },
    serviceSettings: (service) => {
      const entry = view.get('service-defaults', service);
      if (entry === undefined) return undefined;
      return {
        protocol: textField(entry, 'Protocol'),
        externalSni: textField(entry, 'ExternalSNI'),
        ...reachOf(entry),
      };
    },
    router: (service) => {
      const entry = view.get('service-router', service);
      if (entry === undefined) return undefined;
      return objects(entry['Routes']).map((definition) => {
        const { service: named, subset } = targetChange(objectField(definition, 'Destination'));
        return { service: named, subset, definition };
      });
    },
    splitter: (service) => {
      const entry = view.get('service-splitter', service);
      if (entry === undefined) return undefined;
      return objects(entry['Splits']).map((definition) => {
        const { service: named, subset } = targetChange(definition);
        return { weight: Number(definition['Weight'] ?? 0), service: named, subset, definition };
      });
    },
    resolver: (service) => {
      const entry = view.get('service-resolver', service);
      return entry === undefined ? undefined : resolverOf(entry);
    },
    mergeSplits,
    isHashing: (balancer) => ['ring_hash', 'maglev'].includes(textField(balancer, 'Policy')),
  };
}

/** What a failover rule says of how to turn to its targets: the rule's own word, else the mesh's. */
export function failoverPolicy(view: EntryView, service: string, subset: string): JsonObject | undefined {
  const rules = objectField(view.get('service-resolver', service) ?? {}, 'Failover');
  const rule = objectField(rules, subset in rules ? subset : '*');
  const own = rule['Policy'];
  if (isJsonObject(own)) return own;
  const shared = view.get('proxy-defaults', 'global')?.['FailoverPolicy'];
  return isJsonObject(shared) ? shared : undefined;
}

function resolverOf(entry: JsonObject): ChainResolver<JsonObject> {
  const redirect = entry['Redirect'];
  const failover = objectField(entry, 'Failover');
  const loadBalancer = entry['LoadBalancer'];
  const settings = ['DefaultSubset', 'ConnectTimeout', 'RequestTimeout'];
  const subsets = objectField(entry, 'Subsets');
  return {
    defaultSubset: textField(entry, 'DefaultSubset'),
    subsets: new Set(Object.keys(subsets)),
    redirect: isJsonObject(redirect) ? targetChange(redirect) : undefined,
    failover: new Map(
      Object.entries(failover).map(([subset, rule]) => [subset, failoverOf(isJsonObject(rule) ? rule : {})] as const),
    ),
    connectTimeoutMs: parseGoDurationMs(textField(entry, 'ConnectTimeout')) ?? 0,
    requestTimeoutMs: parseGoDurationMs(textField(entry, 'RequestTimeout')) ?? 0,
    loadBalancer: isJsonObject(loadBalancer) ? loadBalancer : undefined,
    isDefault:
      !settings.some((field) => isSet(entry[field]) && entry[field] !== '0s') &&
      Object.keys(subsets).length === 0 &&
      Object.keys(failover).length === 0 &&
      !['Redirect', 'LoadBalancer', 'PrioritizeByLocality'].some((field) => isJsonObject(entry[field])),
  };
}

function failoverOf(rule: JsonObject): ChainFailover {
  const change = targetChange(rule);
  const datacenters = rule['Datacenters'];
  if (Array.isArray(datacenters) && datacenters.length > 0) {
    return datacenters.map((datacenter) => ({ ...change, datacenter: String(datacenter) }));
  }
  const targets = objects(rule['Targets']);
  return targets.length > 0 ? targets.map(targetChange) : [change];
}

function targetChange(fields: JsonObject): TargetChange {
  return {
    service: textField(fields, 'Service'),
    subset: textField(fields, 'ServiceSubset'),
    datacenter: textField(fields, 'Datacenter'),
    peer: textField(fields, 'Peer'),
  };
}

function reachOf(entry: JsonObject): { readonly meshGatewayMode: string; readonly dialedDirectly: boolean } {
  return {
    meshGatewayMode: textField(objectField(entry, 'MeshGateway'), 'Mode'),
    dialedDirectly: objectField(entry, 'TransparentProxy')['DialedDirectly'] === true,
  };
}

/** Requests pass the outer split first, so the inner one has the last word; answers come back the other way. */
function mergeSplits(outer: JsonObject, inner: JsonObject): JsonObject {
  const merged = { ...inner };
  const request = mergedHeaders(outer['RequestHeaders'], inner['RequestHeaders']);
  const response = mergedHeaders(inner['ResponseHeaders'], outer['ResponseHeaders']);
  if (request !== undefined) merged['RequestHeaders'] = request;
  if (response !== undefined) merged['ResponseHeaders'] = response;
  return merged;
}

function mergedHeaders(first: unknown, last: unknown): JsonObject | undefined {
  if (!isJsonObject(first)) return isJsonObject(last) ? last : undefined;
  if (!isJsonObject(last)) return first;
  const removed = [first, last].flatMap(({ Remove }) => (Array.isArray(Remove) ? Remove : []));
  return {
    Add: { ...objectField(first, 'Add'), ...objectField(last, 'Add') },
    Set: { ...objectField(first, 'Set'), ...objectField(last, 'Set') },
    Remove: [...new Set(removed)],
  };
}

function objectField(entry: JsonObject, field: string): JsonObject {
  const value = entry[field];
  return isJsonObject(value) ? value : {};
}
