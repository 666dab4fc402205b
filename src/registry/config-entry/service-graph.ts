/**
 * Would a change of config entries leave some service's routing impossible? Consul refuses such a write whole, so that no
 * reader ever meets a chain that cannot be compiled: layer-7 entries over a tcp service, mixed protocols, subsets that do not exist,
 * circles of redirects or splitters.
 */
import { textField } from '../input/fields.ts';
import { isJsonObject, type JsonObject } from '../input/shape.ts';
import { objects } from './kind.ts';

/** A view of the entries as they would be after the change. */
export interface EntryView {
  readonly datacenter: string;
  get(kind: string, name: string): JsonObject | undefined;
  /** Names of all entries of a kind. */
  names(kind: string): readonly string[];
}

const L7_PROTOCOLS = new Set(['http', 'http2', 'grpc']);
const CHAIN_KINDS = ['service-router', 'service-splitter', 'service-resolver'];

/** Faults of every service that has a router, splitter or resolver, by service name. */
export function serviceGraphFaults(view: EntryView): ReadonlyMap<string, string> {
  const names = new Set(CHAIN_KINDS.flatMap((kind) => view.names(kind)));
  const faults = new Map<string, string>();
  for (const name of names) {
    const fault = chainFault(name, view);
    if (fault !== undefined) faults.set(name, fault);
  }
  return faults;
}

export function protocolOf(service: string, view: EntryView): string {
  const own = view.get('service-defaults', service)?.['Protocol'];
  if (typeof own === 'string' && own !== '') return own;
  const config = view.get('proxy-defaults', 'global')?.['Config'];
  const shared = isJsonObject(config) ? config['protocol'] : undefined;
  return typeof shared === 'string' && shared !== '' ? shared.toLowerCase() : 'tcp';
}

function chainFault(name: string, view: EntryView): string | undefined {
  const hasRouter = view.get('service-router', name) !== undefined;
  const isAdvanced = hasRouter || view.get('service-splitter', name) !== undefined;
  // A chain's protocol is the one that it meets first: a router's own, else that of the first service it resolves to.
  const walk: Walk = { chain: name, protocol: hasRouter ? protocolOf(name, view) : undefined, view };
  if (hasRouter && !isLayer7(walk)) return notAdvanced(walk);
  const destinations: Target[] = [{ service: name, subset: '' }];
  for (const route of objects(view.get('service-router', name)?.['Routes'])) {
    if (isJsonObject(route['Destination'])) destinations.push(targetOf(route['Destination'], name));
  }
  for (const destination of destinations) {
    const fault = splitFault(walk, destination, []);
    if (fault !== undefined) return fault;
  }
  return isAdvanced && !isLayer7(walk) ? notAdvanced(walk) : undefined;
}

function isLayer7({ protocol }: Walk): boolean {
  return protocol !== undefined && L7_PROTOCOLS.has(protocol);
}

function notAdvanced({ chain, protocol = 'tcp' }: Walk): string {
  return `discovery chain ${JSON.stringify(chain)} uses a protocol ${JSON.stringify(protocol)} that does not permit advanced routing or splitting behavior`;
}

interface Walk {
  readonly chain: string;
  protocol: string | undefined;
  readonly view: EntryView;
}

interface Target {
  readonly service: string;
  readonly subset: string;
}

function splitFault(walk: Walk, target: Target, path: readonly string[]): string | undefined {
  const splitter = target.subset === '' ? walk.view.get('service-splitter', target.service) : undefined;
  if (splitter === undefined) return resolveFault(walk, target, []);
  if (path.includes(target.service)) {
    return `detected circular reference: [${[...path, target.service].map((name) => `splitter:${name}.default.default`).join(' -> ')}]`;
  }
  for (const split of objects(splitter['Splits'])) {
    const next = targetOf(split, target.service);
    const same = next.service === target.service;
    // A share that goes to the splitter's own service goes on to its resolver.
    const fault = same ? resolveFault(walk, next, []) : splitFault(walk, next, [...path, target.service]);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function resolveFault(walk: Walk, target: Target, path: readonly string[], isFailover = false): string | undefined {
  const { service, subset } = target;
  const protocol = protocolOf(service, walk.view);
  walk.protocol ??= protocol;
  if (protocol !== walk.protocol) {
    return `discovery chain ${JSON.stringify(walk.chain)} uses inconsistent protocols; service ${JSON.stringify(service)} has ${JSON.stringify(protocol)} which is not ${JSON.stringify(walk.protocol)}`;
  }
  const resolver = walk.view.get('service-resolver', service);
  const redirect = resolver?.['Redirect'];
  if (isJsonObject(redirect)) {
    const step = `${subset === '' ? '' : `${subset}.`}${service}.default.default.${walk.view.datacenter}`;
    if (path.includes(step)) return `detected circular resolver redirect: [${[...path, step].join(' -> ')}]`;
    // Another datacenter's or peer's entries are not ours to judge.
    if (textField(redirect, 'Datacenter') !== '' || textField(redirect, 'Peer') !== '') return undefined;
    const next = targetOf(redirect, service);
    if (next.service !== service || next.subset !== subset)
      return resolveFault(walk, next, [...path, step], isFailover);
  }
  const subsets = resolver?.['Subsets'];
  if (subset !== '' && !(isJsonObject(subsets) && Object.hasOwn(subsets, subset))) {
    return `service ${JSON.stringify(service)} does not have a subset named ${JSON.stringify(subset)}`;
  }
  // A failover's own failover is not followed.
  return isFailover ? undefined : failoverFault(walk, target, resolver);
}

function failoverFault(walk: Walk, target: Target, resolver: JsonObject | undefined): string | undefined {
  const rules = resolver?.['Failover'];
  if (!isJsonObject(rules)) return undefined;
  const subset = target.subset === '' ? textField(resolver ?? {}, 'DefaultSubset') : target.subset;
  const rule = rules[subset] ?? rules['*'];
  if (!isJsonObject(rule)) return undefined;
  const targets = objects(rule['Targets']);
  for (const fields of targets.length > 0 ? targets : [rule]) {
    if (textField(fields, 'Peer') !== '') continue;
    const next = targetOf(fields, target.service);
    const fault = resolveFault(walk, next, [], true);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function targetOf(fields: JsonObject, fallback: string): Target {
  const service = fields['Service'];
  const subset = fields['ServiceSubset'];
  return {
    service: typeof service === 'string' && service !== '' ? service : fallback,
    subset: typeof subset === 'string' ? subset : '',
  };
}
