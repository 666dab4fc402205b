import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ExchangeList } from './exchange-list.ts';

test('a list holds what was added and not deleted since, like a Set', () => {
  const step = fc.record({ item: fc.integer({ min: 0, max: 9 }), isAdded: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const items = Array.from({ length: 10 }, (_, name) => ({ name, place: 0 }));
      const list = new ExchangeList<(typeof items)[0]>();
      const model = new Set<(typeof items)[0]>();
      for (const { item: index, isAdded } of steps) {
        const item = items[index];
        if (item === undefined) continue;
        if (isAdded && !model.has(item)) {
          list.add(item);
          model.add(item);
        } else if (!isAdded) {
          list.delete(item);
          model.delete(item);
        }
        expect(list.size).toBe(model.size);
        expect(new Set(list.snapshot())).toEqual(model);
      }
      list.clear();
      expect(list.snapshot()).toEqual([]);
    }),
  );
});
