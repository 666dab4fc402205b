import { type ConsulAccess, readEverything } from './consul/consul.ts';
import { parseNodeServices } from './consul/parse-catalog.ts';
import { type EntryOfKind, parseConfigEntries } from './consul/parse-config-entries.ts';
import { CONFIG_ENTRY_KINDS, type ConfigEntryKind } from './translate/config-entries.ts';
import {
  type ConfigEntries,
  DEFAULT_TRUST_DOMAIN,
  errorAt,
  type Problem,
  translateProxy,
} from './translate/translate.ts';

/**
 * What a control server would say of config entries and registrations, all of it at once: entries that are wrong or not
 * obeyed, chains that cannot be made, keys that nobody knows. Without sidecars, and without watching.
 */
export interface Analyzed {
  /** As `/v1/config/:kind` shows them, of all kinds. */
  readonly entries: readonly unknown[];
  /** As `/v1/catalog/node-services/:node` answers, one for each node. */
  readonly nodes: readonly unknown[];
}

export interface Finding {
  readonly severity: 'error' | 'warning';
  /** Of the config entry at fault; empty where it is another thing. */
  readonly kind: string;
  readonly name: string;
  /** `service-router/web (ModifyIndex 42)`, `registration web-1-sidecar-proxy: upstream api`. */
  readonly where: string;
  /** `Routes[0].Match.HTTP.PathRegex`; empty where the whole is meant. */
  readonly field: string;
  readonly message: string;
}

/** Everything in a Consul that answers now. Rejects where it does not, saying why. */
export function readConsul(access: ConsulAccess): Promise<Analyzed> {
  return readEverything(access, CONFIG_ENTRY_KINDS);
}

export function analyze({ entries: written, nodes }: Analyzed): readonly Finding[] {
  const problems: Problem[] = [];
  const entries = readEntries(written, problems);
  const ofEntries = registrationProblems(callersOf(entries), entries).filter(({ where }) => ENTRY.test(where));
  problems.push(...ofEntries);
  for (const node of nodes) problems.push(...registrationProblems(node, entries));
  const distinct = new Map(problems.map((problem) => [`${problem.where}\0${problem.message}`, findingOf(problem)]));
  return [...distinct.values()].sort(bySeverityAndPlace);
}

/** Sidecars that nobody runs, one for each service that an entry is about, calling it: what they meet is the entries' doing. */
function callersOf(entries: EntryMaps): object {
  const { serviceDefaults, serviceRouters, serviceSplitters, serviceResolvers } = entries;
  const kinds = [serviceDefaults, serviceRouters, serviceSplitters, serviceResolvers];
  const services = [...new Set(['any', ...kinds.flatMap((kind) => [...kind.keys()])])].sort();
  const callers = services.map((service) => ({
    Kind: 'connect-proxy',
    ID: `${service}-caller`,
    Port: 1,
    Proxy: {
      DestinationServiceName: service,
      LocalServicePort: 1,
      Upstreams: [...new Set([service, ...(serviceDefaults.get(service)?.upstreamOverrides.keys() ?? [])])].map(
        (DestinationName, at) => ({ DestinationName, LocalBindPort: at + 1 }),
      ),
    },
  }));
  return { Node: { Node: 'callers', Address: '127.0.0.1', Datacenter: 'dc1' }, Services: callers };
}

interface EntryMaps extends ConfigEntries {
  readonly serviceDefaults: ReadonlyMap<string, EntryOfKind['service-defaults']>;
  readonly serviceRouters: ReadonlyMap<string, EntryOfKind['service-router']>;
  readonly serviceSplitters: ReadonlyMap<string, EntryOfKind['service-splitter']>;
  readonly serviceResolvers: ReadonlyMap<string, EntryOfKind['service-resolver']>;
}

function readEntries(written: readonly unknown[], problems: Problem[]): EntryMaps {
  const read = <K extends ConfigEntryKind>(kind: K): ReadonlyMap<string, EntryOfKind[K]> => {
    const parsed = parseConfigEntries(
      kind,
      written.filter((entry) => kindOf(entry) === kind),
      undefined,
    );
    problems.push(...parsed.problems);
    return parsed.entries;
  };
  return {
    proxyDefaults: read('proxy-defaults').get('global'),
    mesh: read('mesh').get('mesh'),
    serviceDefaults: read('service-defaults'),
    serviceRouters: read('service-router'),
    serviceSplitters: read('service-splitter'),
    serviceResolvers: read('service-resolver'),
  };
}

function kindOf(entry: unknown): unknown {
  return typeof entry === 'object' && entry !== null ? Reflect.get(entry, 'Kind') : undefined;
}

function registrationProblems(node: unknown, entries: ConfigEntries): readonly Problem[] {
  try {
    const { proxies, problems } = parseNodeServices(node, undefined);
    const translated = [...proxies.values()].flatMap(
      (registration) => translateProxy({ registration, entries, trustDomain: DEFAULT_TRUST_DOMAIN }).problems,
    );
    return [...[...problems.values()].flat(), ...translated];
  } catch (error) {
    return [errorAt('registrations', error instanceof Error ? error.message : String(error))];
  }
}

const ENTRY = /^([a-z-]+)\/(\S+)(?: \(ModifyIndex \d+\))?(?:: (.+))?$/;
const FIELD = /^([A-Z][\w]*(?:\[\d+\]|\.[\w*-]+)*): /;

function findingOf({ severity, where, message }: Problem): Finding {
  const [, kind = '', name = '', part = ''] = ENTRY.exec(where) ?? [];
  const key = /^(?:unknown key )?"(?:upstream [^:"]*: )?([\w.[\]-]+)(?: = [^"]*)?"/.exec(message)?.[1] ?? '';
  const [prefix = '', named = ''] = FIELD.exec(message) ?? [];
  const field = named === '' ? [part, key].filter((each) => each !== '').join('.') : named;
  return { severity, kind, name, where, field, message: message.slice(prefix.length) };
}

function bySeverityAndPlace(a: Finding, b: Finding): number {
  if (a.severity !== b.severity) return a.severity === 'error' ? -1 : 1;
  return a.where < b.where ? -1 : a.where > b.where ? 1 : 0;
}
