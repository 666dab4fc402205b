import { RE2JS } from 're2js';
import type { SeriesReading } from './merged-metrics.ts';

/** Which series a reader of `/stats` wants. */
export interface StatSelection {
  /** True for the names to show. */
  readonly matches: (name: string) => boolean;
  /** Only series that were ever touched. */
  readonly usedOnly: boolean;
  readonly kind: 'counter' | 'gauge' | 'histogram' | undefined;
}

export const ALL_STATS: StatSelection = { matches: () => true, usedOnly: false, kind: undefined };

/** A name filter from the outside: RE2 syntax, matched anywhere, linear in the length of the name. */
export function compileStatFilter(
  pattern: string,
):
  | { readonly ok: true; readonly matches: (name: string) => boolean }
  | { readonly ok: false; readonly message: string } {
  try {
    const compiled = RE2JS.compile(pattern);
    return { ok: true, matches: (name) => compiled.matcher(name).find() };
  } catch (error) {
    return { ok: false, message: `filter is not a valid regular expression: ${String(error)}` };
  }
}

/** Whether a series is to be shown. */
export function isSelected(series: SeriesReading, selection: StatSelection): boolean {
  if (selection.kind !== undefined && series.kind !== selection.kind) return false;
  if (selection.usedOnly && !series.values.some((value) => value !== 0)) return false;
  return selection.matches(series.name);
}
