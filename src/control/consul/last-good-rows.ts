import { z } from 'zod';
import type { ConfigEntryKind } from '../translate/config-entries.ts';
import type { Problem } from '../translate/problem.ts';
import { parseNodeServices } from './parse-catalog.ts';
import { parseConfigEntries } from './parse-config-entries.ts';

const rows = z.array(z.unknown()).nullish();
const nodeBody = z.looseObject({ Services: rows });

/** The entries as they are, but for those that are faulty: these as they were kept, where they were. */
export function lastGoodEntries<K extends ConfigEntryKind>(
  kind: K,
  body: unknown,
  problems: readonly Problem[],
  kept: () => unknown,
): unknown {
  if (!problems.some(isError)) return body;
  const isGood = (row: unknown): boolean => !parseConfigEntries(kind, [row], undefined).problems.some(isError);
  return merged(rows.parse(body) ?? [], rows.safeParse(kept()).data ?? [], 'Name', isGood);
}

/** The same for the registrations on one node. */
export function lastGoodServices(body: unknown, problems: Iterable<readonly Problem[]>, kept: () => unknown): unknown {
  if (![...problems].flat().some(isError)) return body;
  const now = nodeBody.parse(body);
  const isGood = (row: unknown): boolean =>
    ![...parseNodeServices({ ...now, Services: [row] }, undefined).problems.values()].flat().some(isError);
  const before = nodeBody.safeParse(kept()).data?.Services ?? [];
  return { ...now, Services: merged(now.Services ?? [], before, 'ID', isGood) };
}

function merged(
  now: readonly unknown[],
  before: readonly unknown[],
  nameField: 'Name' | 'ID',
  isGood: (row: unknown) => boolean,
): readonly unknown[] {
  const nameOf = (row: unknown): unknown =>
    typeof row === 'object' && row !== null ? new Map(Object.entries(row)).get(nameField) : undefined;
  const keptByName = new Map(before.map((row) => [nameOf(row), row] as const));
  return now.map((row) => (isGood(row) ? row : (keptByName.get(nameOf(row)) ?? row)));
}

function isError({ severity }: Problem): boolean {
  return severity === 'error';
}
