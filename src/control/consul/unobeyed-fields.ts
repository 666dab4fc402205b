import { CONSUL_FIELDS, type FieldHolder } from '../translate/consul-fields.ts';

/** A field that somebody set and that is not obeyed. */
export interface UnobeyedField {
  /** `Failover.*.Targets[0].Partition`, as it was written. */
  readonly path: string;
  /** What it is set to; empty where that is more than a word. */
  readonly written: string;
  readonly why: string;
}

interface Place {
  readonly path: string;
  readonly value: unknown;
}

interface NamedField {
  readonly steps: readonly string[];
  readonly why: string;
  readonly harmless: readonly string[];
}

const NAMED_FIELDS: ReadonlyMap<FieldHolder, readonly NamedField[]> = new Map(
  (Object.keys(CONSUL_FIELDS) as FieldHolder[]).map((holder) => [holder, namedFields(holder)]),
);

function namedFields(holder: FieldHolder): readonly NamedField[] {
  return Object.entries(CONSUL_FIELDS[holder]).flatMap(([path, row]) =>
    row.standing === 'notObeyed' && row.namedBy === 'table'
      ? [{ steps: path.split('.'), why: row.why, harmless: row.harmless }]
      : [],
  );
}

/** Whatever of an entry, or of a registration's proxy block, asks for something that is not done, by the table. */
export function unobeyedFields(holder: FieldHolder, item: unknown): readonly UnobeyedField[] {
  return (NAMED_FIELDS.get(holder) ?? []).flatMap(({ steps, why, harmless }) =>
    placesOf([{ path: '', value: item }], steps)
      .filter(({ value }) => isSet(value) && !(typeof value === 'string' && harmless.includes(value)))
      .map(({ path, value }) => ({ path, written: wordOf(value), why })),
  );
}

function placesOf(places: readonly Place[], steps: readonly string[]): readonly Place[] {
  return steps.reduce<readonly Place[]>((reached, step) => reached.flatMap((place) => stepInto(place, step)), places);
}

function stepInto({ path, value }: Place, step: string): readonly Place[] {
  if (typeof value !== 'object' || value === null) return [];
  const named = new Map<string, unknown>(Object.entries(value));
  const within = (key: string): string => (path === '' ? key : `${path}.${key}`);
  if (step === '*') return [...named].map(([key, item]) => ({ path: within(key), value: item }));
  const field = step.replace(/\[\]$/, '');
  const found = named.get(field);
  if (field === step) return found === undefined ? [] : [{ path: within(field), value: found }];
  return Array.isArray(found) ? found.map((item, at) => ({ path: `${within(field)}[${at}]`, value: item })) : [];
}

function wordOf(value: unknown): string {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? `${value}` : '';
}

/** Consul prints what is not set as null, as nothing, or as an object of such. */
function isSet(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return Boolean(value);
  return Object.values(value).some(isSet);
}
