import { textField } from '../input/fields.ts';
import type { JsonObject } from '../input/shape.ts';
import { COMMON_FIELDS, type ConfigEntryKind, HEADER_MODIFIERS, isSet, objects } from './kind.ts';

export const SERVICE_SPLITTER: ConfigEntryKind = {
  kind: 'service-splitter',
  shape: {
    fields: {
      ...COMMON_FIELDS,
      Splits: {
        list: {
          fields: {
            Weight: 'number',
            Service: 'string',
            ServiceSubset: 'string',
            Namespace: 'string',
            Partition: 'string',
            RequestHeaders: HEADER_MODIFIERS,
            ResponseHeaders: HEADER_MODIFIERS,
          },
        },
      },
    },
  },
  defaults: { Splits: [] },
  normalize: (entry) => ({
    ...entry,
    // The smallest share that can be told apart is 0.01 %.
    Splits: objects(entry['Splits']).map((split) => ({ ...split, Weight: Math.round(weightOf(split) * 100) / 100 })),
  }),
  validate: (entry, name) => {
    const splits = objects(entry['Splits']);
    if (splits.length === 0) return ['no splits configured'];
    const faults: string[] = [];
    const seen = new Set<string>();
    for (const split of splits) {
      const service = textField(split, 'Service') || name;
      const subset = textField(split, 'ServiceSubset');
      const key = `${service}\u0000${subset}`;
      // Splits that change headers differ from each other, whatever they change.
      const changesHeaders = isSet(split['RequestHeaders']) || isSet(split['ResponseHeaders']);
      if (seen.has(key) && !changesHeaders) {
        faults.push(
          `split destination occurs more than once: service=${JSON.stringify(service)}, subset=${JSON.stringify(subset)}, namespace="", partition=""`,
        );
      }
      if (!changesHeaders) seen.add(key);
      if (weightOf(split) < 0) faults.push(`split weight ${weightOf(split)} must be between 0 and 100`);
    }
    const sum = splits.reduce((total, split) => total + Math.round(weightOf(split) * 100), 0);
    if (sum !== 10_000) faults.push(`the sum of all split weights must be 100, not ${(sum / 100).toFixed(6)}`);
    return faults;
  },
};

function weightOf(split: JsonObject): number {
  const weight = split['Weight'];
  return typeof weight === 'number' ? weight : 0;
}
