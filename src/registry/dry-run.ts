import { expandSidecar } from './agent/sidecar-service.ts';
import { ApiError } from './api-error.ts';
import { CONFIG_ENTRY_KINDS, readConfigEntry, writeConfigEntry } from './config-entry/config-entry.ts';
import { readServiceDefinition } from './input/service-definition.ts';
import { isJsonObject, type JsonObject } from './input/shape.ts';
import { ChangeIndex } from './state/change-index.ts';
import { ConfigEntries } from './state/config-entries.ts';

/** What Consul would say if these documents were written to it, without anything being written anywhere. */
export interface DryRun {
  /** Config entries as Consul would store them. */
  readonly entries: readonly object[];
  /** Services and the sidecars that come with them, as one node's catalog would show them. */
  readonly services: readonly object[];
  readonly refusals: readonly Refusal[];
}

export interface Refusal {
  /** `service-router/web`, `service web`, or the place in the file where there is not even a name. */
  readonly where: string;
  readonly message: string;
}

/** Each document with what to call it where it does not name itself. */
export type NamedDocument = readonly [place: string, document: unknown];

export function dryRun(documents: readonly NamedDocument[]): DryRun {
  const refusals: Refusal[] = [];
  const services: JsonObject[] = [];
  const written: NamedDocument[] = [];
  for (const [place, document] of documents.flatMap(unwrapped)) {
    if (isEntry(document)) written.push([place, document]);
    else attempt(place, refusals, () => services.push(...registered(document)));
  }
  return { entries: stored(written, refusals), services, refusals };
}

/** `{service: …}` and `{services: […]}` are how agents' own files hold registrations. */
function unwrapped([place, document]: NamedDocument): readonly NamedDocument[] {
  if (!isJsonObject(document)) return [[place, document]];
  if (isJsonObject(document['service'])) return [[place, document['service']]];
  const { services } = document;
  if (!Array.isArray(services)) return [[place, document]];
  return services.map((service: unknown, at): NamedDocument => [`${place}: services[${at}]`, service]);
}

function isEntry(document: unknown): boolean {
  if (!isJsonObject(document)) return false;
  const kind = document['Kind'] ?? document['kind'];
  return typeof kind === 'string' && CONFIG_ENTRY_KINDS.has(kind);
}

/** Entries refer to each other: one that is refused is tried again as long as others still get in. */
function stored(documents: readonly NamedDocument[], refusals: Refusal[]): readonly object[] {
  const entries = new ConfigEntries(new ChangeIndex());
  let waiting = documents;
  for (;;) {
    const refused: Refusal[] = [];
    const left = waiting.filter(
      ([place, document]) =>
        !attempt(nameOf(document, place), refused, () => writeConfigEntry(entries, readConfigEntry(document))),
    );
    if (left.length === 0 || left.length === waiting.length) {
      refusals.push(...refused);
      return [...CONFIG_ENTRY_KINDS.keys()].flatMap((kind) => entries.list(kind));
    }
    waiting = left;
  }
}

function registered(document: unknown): readonly JsonObject[] {
  const { service, sidecar } = readServiceDefinition(document);
  const own: JsonObject = { ...service };
  if (sidecar === undefined) return [own];
  return [own, { ...expandSidecar(service, sidecar, []).service }];
}

function attempt(where: string, refusals: Refusal[], write: () => void): boolean {
  try {
    write();
    return true;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    refusals.push({ where, message: `Consul would refuse it: ${error.message}` });
    return false;
  }
}

function nameOf(document: unknown, place: string): string {
  if (!isJsonObject(document)) return place;
  const kind = document['Kind'] ?? document['kind'];
  const name = document['Name'] ?? document['name'];
  return typeof name === 'string' && name !== '' ? `${String(kind)}/${name}` : `${String(kind)} (${place})`;
}
