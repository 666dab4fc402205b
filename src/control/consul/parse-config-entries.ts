import { z } from 'zod';
import { type EntryOrigin, originText } from '../translate/catalog.ts';
import type {
  ConfigEntryKind,
  MeshEntry,
  ProxyDefaults,
  ServiceDefaults,
  ServiceResolver,
  ServiceRouter,
  ServiceSplitter,
} from '../translate/config-entries.ts';
import { errorAt, type Problem, warningAt } from '../translate/problem.ts';
import { issuesText, modifyIndex } from './fields.ts';
import { mesh, proxyDefaults, serviceDefaults } from './parse-defaults.ts';
import { serviceResolver } from './parse-resolver.ts';
import { serviceRouter, serviceSplitter } from './parse-routing.ts';
import { unobeyedFields } from './unobeyed-fields.ts';

/** What each kind becomes. */
export interface EntryOfKind {
  'proxy-defaults': ProxyDefaults;
  'service-defaults': ServiceDefaults;
  'service-router': ServiceRouter;
  'service-splitter': ServiceSplitter;
  'service-resolver': ServiceResolver;
  mesh: MeshEntry;
}

/** All entries of one kind by name, and what was wrong with the others. */
export interface ParsedEntries<K extends ConfigEntryKind> {
  readonly entries: ReadonlyMap<string, EntryOfKind[K]>;
  readonly problems: readonly Problem[];
}

/** The one mesh entry has no name to show. */
const head = z
  .object({ Kind: z.string(), Name: z.string().nullish(), ModifyIndex: modifyIndex })
  .transform((value) => ({ ...value, Name: value.Name || (value.Kind === 'mesh' ? 'mesh' : '') }))
  .refine(({ Name }) => Name !== '', { path: ['Name'], message: 'must not be empty' });

const SCHEMAS = {
  'proxy-defaults': proxyDefaults,
  'service-defaults': serviceDefaults,
  'service-router': serviceRouter,
  'service-splitter': serviceSplitter,
  'service-resolver': serviceResolver,
  mesh,
} as const;

/**
 * Reads the answer of `/v1/config/:kind`. An entry that is wrong is named and skipped; where an earlier form of it was
 * right, that one stays in force. Throws only where the answer is no list at all.
 */
export function parseConfigEntries<K extends ConfigEntryKind>(
  kind: K,
  body: unknown,
  previous: ParsedEntries<K> | undefined,
): ParsedEntries<K> {
  const entries = new Map<string, EntryOfKind[K]>();
  const problems: Problem[] = [];
  for (const item of z.array(z.unknown()).nullish().parse(body) ?? []) {
    const named = head.safeParse(item);
    if (!named.success) {
      problems.push(errorAt(kind, `an entry without a readable name: ${issuesText(named.error)}`));
      continue;
    }
    const origin: EntryOrigin = { kind, name: named.data.Name, modifyIndex: named.data.ModifyIndex };
    const parsed = SCHEMAS[kind].safeParse(item);
    if (parsed.success) {
      problems.push(...notObeyed(kind, item, originText(origin)));
      // SCHEMAS and EntryOfKind list the same kinds; TypeScript does not follow the pairing through a generic key.
      entries.set(origin.name, { origin, ...parsed.data } as unknown as EntryOfKind[K]);
      continue;
    }
    const lastGood = previous?.entries.get(origin.name);
    if (lastGood !== undefined) entries.set(origin.name, lastGood);
    const kept =
      lastGood === undefined ? 'it is ignored until it is mended' : `${originText(lastGood.origin)} stays in force`;
    problems.push(errorAt(originText(origin), `${issuesText(parsed.error)}; ${kept}`));
  }
  return { entries: new Map([...entries].sort(([a], [b]) => (a < b ? -1 : 1))), problems };
}

/** A warning for every field that is set, understood and not obeyed; the rest of the entry is. */
function notObeyed(kind: ConfigEntryKind, item: unknown, where: string): readonly Problem[] {
  return unobeyedFields(kind, item).map(({ path, written, why }) => {
    const shown = written === '' ? '' : `"${written}" `;
    return warningAt(where, `${path}: ${shown}is not obeyed: ${why}`);
  });
}
