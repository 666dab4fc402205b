/**
 * Writing config entries: decode, normalise, validate alone and together with all others, then store. Knows Consul's kinds
 * and its refusals; knows no HTTP. An entry of an unknown kind, with an unknown key, or that breaks a chain, changes nothing.
 */
import { ApiError, multiErrorText } from '../api-error.ts';
import { canonical, isJsonObject, type JsonObject, type ShapeFaults } from '../input/shape.ts';
import type { ConfigEntries, NewConfigEntry } from '../state/config-entries.ts';
import type { EntryView } from './chain-entries.ts';
import { PROXY_DEFAULTS, SERVICE_DEFAULTS } from './defaults.ts';
import { type ConfigEntryKind, IGNORED_FIELDS } from './kind.ts';
import { refusePermissiveUnlessAllowed } from './mutual-tls-mode.ts';
import {
  CONTROL_PLANE_REQUEST_LIMIT,
  EXPORTED_SERVICES,
  JWT_PROVIDER,
  MESH,
  SAMENESS_GROUP,
  SERVICE_INTENTIONS,
} from './policy.ts';
import { refuseBrokenGraph } from './service-graph.ts';
import { SERVICE_RESOLVER } from './service-resolver.ts';
import { SERVICE_ROUTER } from './service-router.ts';
import { SERVICE_SPLITTER } from './service-splitter.ts';

export const CONFIG_ENTRY_KINDS: ReadonlyMap<string, ConfigEntryKind> = new Map(
  [
    SERVICE_DEFAULTS,
    PROXY_DEFAULTS,
    SERVICE_ROUTER,
    SERVICE_SPLITTER,
    SERVICE_RESOLVER,
    SERVICE_INTENTIONS,
    MESH,
    JWT_PROVIDER,
    EXPORTED_SERVICES,
    SAMENESS_GROUP,
    CONTROL_PLANE_REQUEST_LIMIT,
  ].map((kind) => [kind.kind, kind]),
);

export function kindNamed(kind: string, status = 400): ConfigEntryKind {
  const known = CONFIG_ENTRY_KINDS.get(kind);
  if (known === undefined) throw new ApiError(status, `invalid config entry kind: ${kind}`);
  return known;
}

export function readConfigEntry(document: unknown): NewConfigEntry {
  const refuse = (reason: string): ApiError => new ApiError(400, `Request decoding failed: ${reason}`);
  if (!isJsonObject(document)) throw refuse('the document must be a JSON object');
  const kindText = document['Kind'] ?? document['kind'];
  if (kindText === undefined) throw refuse('Payload does not contain a kind/Kind key at the top level');
  if (typeof kindText !== 'string') throw refuse('Kind value in payload is not a string');
  const kind = CONFIG_ENTRY_KINDS.get(kindText);
  if (kind === undefined) throw refuse(`invalid config entry kind: ${kindText}`);
  const faults: ShapeFaults = { wrong: [], unknown: [] };
  const fields = canonical(document, kind.shape, '', faults);
  const unknown = faults.unknown.filter((key) => !IGNORED_FIELDS.has(lastPart(key)));
  // There is one mesh entry, and it does not even have the field.
  if (kind.kind === 'mesh' && isJsonObject(fields) && fields['Name'] !== undefined) unknown.push('Name');
  const all = [...faults.wrong, ...unknown.map((key) => `invalid config key ${JSON.stringify(key)}`)];
  if (all.length > 0) throw refuse(all.length === 1 ? (all[0] ?? '') : multiErrorText(all));
  return normalized(isJsonObject(fields) ? fields : {}, kind);
}

/** Throws what Consul's servers answer (500) when the entry is unsound alone or with the others. */
export function writeConfigEntry(entries: ConfigEntries, entry: NewConfigEntry, expectedIndex?: number): boolean {
  const kind = kindNamed(entry.Kind);
  if (entry.Name === '') throw new ApiError(500, 'Name is required');
  const faults = kind.validate(entry, entry.Name);
  const [first] = faults;
  if (first !== undefined) throw new ApiError(500, kind.saysAllFaults === true ? multiErrorText(faults) : first);
  refusePermissiveUnlessAllowed(viewOf(entries), entry, entry.Kind, entry.Name);
  refuseBrokenGraph(changedView(entries, entry.Kind, entry.Name, entry), entry.Kind, entry.Name);
  return entries.put(entry, expectedIndex);
}

export function deleteConfigEntry(entries: ConfigEntries, kind: string, name: string, expectedIndex?: number): boolean {
  kindNamed(kind);
  refuseBrokenGraph(changedView(entries, kind, name, undefined), kind, name);
  return entries.delete(kind, name, expectedIndex);
}

/** The entries as they are. */
export function viewOf(entries: ConfigEntries): EntryView {
  return {
    datacenter: entries.datacenter,
    get: (kind, name) => entries.get(kind, name),
    names: (kind) => entries.list(kind).map((row) => row.Name),
  };
}

function changedView(entries: ConfigEntries, kind: string, name: string, proposed: JsonObject | undefined): EntryView {
  const base = viewOf(entries);
  return {
    datacenter: base.datacenter,
    get: (k, n) => (k === kind && n === name ? proposed : base.get(k, n)),
    names: (k) => {
      if (k !== kind) return base.names(k);
      const others = base.names(k).filter((other) => other !== name);
      return proposed === undefined ? others : [...others, name];
    },
  };
}

function normalized(fields: JsonObject, kind: ConfigEntryKind): NewConfigEntry {
  const given = fields['Name'];
  const name = typeof given === 'string' ? given : '';
  if (kind.onlyName !== undefined && name !== '' && name !== kind.onlyName) {
    throw new ApiError(
      500,
      `invalid name (${JSON.stringify(name)}), only ${JSON.stringify(kind.onlyName)} is supported`,
    );
  }
  const named = { ...kind.defaults, ...fields, Kind: kind.kind, Name: kind.onlyName ?? name };
  return { ...(kind.normalize?.(named) ?? named), Kind: kind.kind, Name: kind.onlyName ?? name };
}

function lastPart(key: string): string {
  return key
    .slice(key.lastIndexOf('.') + 1)
    .replaceAll('_', '')
    .toLowerCase();
}
