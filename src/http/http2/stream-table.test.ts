import fc from 'fast-check';
import { expect, test } from 'vitest';
import { StreamTable } from './stream-table.ts';

test('holds what a Map would, over any order of additions and removals', () => {
  const step = fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 80 }));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const table = new StreamTable<{ readonly id: number }>();
      const model = new Map<number, { readonly id: number }>();
      for (const [isAddition, half] of steps) {
        // Far apart and close together: ids that share a slot and ids that do not.
        const id = 2 * (half % 2 === 0 ? half : half * 64) + 1;
        if (!isAddition) {
          table.delete(id);
          model.delete(id);
        } else if (!model.has(id)) {
          table.add({ id });
          model.set(id, { id });
        }
        expect(table.size).toBe(model.size);
        for (const each of steps) {
          const other = 2 * (each[1] % 2 === 0 ? each[1] : each[1] * 64) + 1;
          expect(table.get(other)?.id).toBe(model.get(other)?.id);
        }
      }
      expect(table.snapshot().map(({ id }) => id)).toEqual([...model.keys()].sort((a, b) => a - b));
    }),
    { numRuns: 60 },
  );
});
