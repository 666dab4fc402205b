/** What the store needs to know of one kind of config entry. One file per group of kinds; `kinds.ts` is the table. */
import type { JsonObject, Shape } from '../input/shape.ts';

export interface ConfigEntryKind {
  readonly kind: string;
  readonly shape: Shape;
  /** The only name there is, for kinds with one entry (`proxy-defaults/global`). */
  readonly onlyName?: string;
  /** Fields Consul always shows, with the value they have when nobody set them. */
  readonly defaults?: JsonObject;
  /** Brings canonical fields into the form Consul stores (lower-case protocol, precedence). */
  normalize?(entry: JsonObject): JsonObject;
  /** Consul says all faults of such an entry, and of others the first. */
  readonly saysAllFaults?: boolean;
  /** All faults, in Consul's words where known; empty when the entry is sound in itself. */
  validate(entry: JsonObject, name: string): string[];
}

export const COMMON_FIELDS = { Kind: 'string', Name: 'string', Meta: { map: 'string' } } as const;
/** Accepted and dropped: what a client reads back and sends again. */
export const IGNORED_FIELDS: ReadonlySet<string> = new Set([
  'createindex',
  'modifyindex',
  'namespace',
  'partition',
  'hash',
  'status',
]);

export function objects(value: unknown): JsonObject[] {
  return Array.isArray(value)
    ? value.filter((item): item is JsonObject => typeof item === 'object' && item !== null && !Array.isArray(item))
    : [];
}

/** Go's zero values count as absent. */
export function isSet(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  return value !== undefined && value !== null && value !== '' && value !== false;
}

/** What a router and a splitter may do to headers. */
export const HEADER_MODIFIERS: Shape = {
  fields: { Add: { map: 'string' }, Set: { map: 'string' }, Remove: { list: 'string' } },
};
