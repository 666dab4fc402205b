import { isDeepStrictEqual } from 'node:util';
import {
  CONFIG_ENTRY_KINDS,
  type ConfigEntries,
  type ConfigEntryKind,
  type ServiceDefaults,
  type ServiceResolver,
  type ServiceRouter,
  type ServiceSplitter,
} from '../translate/config-entries.ts';
import { errorAt, type Problem } from '../translate/problem.ts';
import { knownValue } from './blocking-query.ts';
import type { ParsedEntries } from './parse-config-entries.ts';
import type { Watched, WatchHub } from './watch-hub.ts';
import { configEntriesWatch } from './watches.ts';

/** Which services' entries changed; `everything` where one changed that concerns all. */
export type EntriesChange = 'everything' | ReadonlySet<string>;

/** All config entries at one moment; `undefined` until every kind has been read once: half a set would route wrongly. */
export interface EntriesState {
  readonly entries: EntryMaps | undefined;
  readonly problems: readonly Problem[];
}

type WatchedKinds = { readonly [K in ConfigEntryKind]: Watched<ParsedEntries<K>> };

/** The watches on all kinds of config entry, as one value. */
export class ConfigEntriesFeed {
  readonly #hub: WatchHub;
  readonly #listeners = new Set<(change: EntriesChange) => void>();
  #watched: WatchedKinds | undefined;
  #onProblems: ((problems: readonly Problem[]) => void) | undefined;
  #state: EntriesState = { entries: undefined, problems: [] };

  constructor(hub: WatchHub) {
    this.#hub = hub;
  }

  get state(): EntriesState {
    return this.#state;
  }

  start(): void {
    const watch = <K extends ConfigEntryKind>(kind: K): Watched<ParsedEntries<K>> =>
      this.#hub.subscribe(configEntriesWatch(kind), () => this.#merge());
    this.#watched = {
      'proxy-defaults': watch('proxy-defaults'),
      'service-defaults': watch('service-defaults'),
      'service-router': watch('service-router'),
      'service-splitter': watch('service-splitter'),
      'service-resolver': watch('service-resolver'),
      mesh: watch('mesh'),
    };
  }

  stop(): void {
    for (const kind of CONFIG_ENTRY_KINDS) this.#watched?.[kind].release();
    this.#watched = undefined;
    this.#listeners.clear();
  }

  /** The listener is told of changes of what is in force; not of errors, and not of changes that change nothing. */
  subscribe(listener: (change: EntriesChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Told of what is wrong with entries whenever one is read, changed or not. One listener. */
  tellProblems(listener: (problems: readonly Problem[]) => void): void {
    this.#onProblems = listener;
  }

  #merge(): void {
    const watched = this.#watched;
    if (watched === undefined) return;
    const before = this.#state.entries;
    const entries = mergedEntries(watched) ?? before;
    this.#state = { entries, problems: problemsOf(watched) };
    this.#onProblems?.(this.#state.problems);
    if (entries === undefined) return;
    const change = changeBetween(before, entries);
    if (change !== 'everything' && change.size === 0) return;
    for (const listener of [...this.#listeners]) listener(change);
  }
}

/** All entries of the mesh as maps, which translation only looks things up in. */
interface EntryMaps extends ConfigEntries {
  readonly serviceDefaults: ReadonlyMap<string, ServiceDefaults>;
  readonly serviceRouters: ReadonlyMap<string, ServiceRouter>;
  readonly serviceSplitters: ReadonlyMap<string, ServiceSplitter>;
  readonly serviceResolvers: ReadonlyMap<string, ServiceResolver>;
}

function changeBetween(before: EntryMaps | undefined, now: EntryMaps): EntriesChange {
  if (before === undefined) return 'everything';
  if (!isDeepStrictEqual([before.proxyDefaults, before.mesh], [now.proxyDefaults, now.mesh])) return 'everything';
  const changed = new Set<string>();
  collectChanged(before.serviceDefaults, now.serviceDefaults, changed);
  collectChanged(before.serviceRouters, now.serviceRouters, changed);
  collectChanged(before.serviceSplitters, now.serviceSplitters, changed);
  collectChanged(before.serviceResolvers, now.serviceResolvers, changed);
  return changed;
}

function collectChanged<T>(before: ReadonlyMap<string, T>, now: ReadonlyMap<string, T>, changed: Set<string>): void {
  if (before === now) return;
  for (const name of [...before.keys(), ...now.keys()]) {
    if (!isDeepStrictEqual(before.get(name), now.get(name))) changed.add(name);
  }
}

function mergedEntries(watched: WatchedKinds): EntryMaps | undefined {
  const proxyDefaults = knownValue(watched['proxy-defaults'].state);
  const serviceDefaults = knownValue(watched['service-defaults'].state);
  const serviceRouters = knownValue(watched['service-router'].state);
  const serviceSplitters = knownValue(watched['service-splitter'].state);
  const serviceResolvers = knownValue(watched['service-resolver'].state);
  const mesh = knownValue(watched.mesh.state);
  // A Consul that has no such kind, or does not let us read it, has no more to say than one without the entry.
  if (mesh === undefined && watched.mesh.state.kind !== 'failing') return undefined;
  if (!proxyDefaults || !serviceDefaults || !serviceRouters || !serviceSplitters || !serviceResolvers) return undefined;
  return {
    proxyDefaults: proxyDefaults.entries.get('global'),
    mesh: mesh?.entries.get('mesh'),
    serviceDefaults: serviceDefaults.entries,
    serviceRouters: serviceRouters.entries,
    serviceSplitters: serviceSplitters.entries,
    serviceResolvers: serviceResolvers.entries,
  };
}

/** Faults within entries, and kinds that have never been readable (a token without the right, most often). */
function problemsOf(watched: WatchedKinds): readonly Problem[] {
  const problems: Problem[] = [];
  for (const kind of CONFIG_ENTRY_KINDS) {
    const { state } = watched[kind];
    problems.push(...(knownValue<ParsedEntries<ConfigEntryKind>>(state)?.problems ?? []));
    if (state.kind === 'failing') {
      const consequence = kind === 'mesh' ? 'its defaults count' : 'no proxy is configured';
      problems.push(errorAt(`config entries ${kind}`, `never read so far, so ${consequence}: ${state.error}`));
    }
  }
  return problems;
}
