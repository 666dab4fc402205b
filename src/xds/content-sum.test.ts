import fc from 'fast-check';
import { expect, test } from 'vitest';
import { minus, plus, sumFromText, sumOfText, sumText, ZERO_SUM } from './content-sum.ts';

const sumOf = (texts: readonly string[]) => texts.map(sumOfText).reduce(plus, ZERO_SUM);

test('the sum of a set does not depend on order, and a replaced member costs one step each way', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.string(), { minLength: 1 }), fc.string(), (texts, other) => {
      expect(sumOf(texts.toReversed())).toBe(sumOf(texts));
      const replaced = plus(minus(sumOf(texts), sumOfText(texts[0] ?? '')), sumOfText(other));
      expect(replaced).toBe(sumOf([other, ...texts.slice(1)]));
      expect(sumFromText(sumText(replaced))).toBe(replaced);
      expect(sumText(replaced)).toMatch(/^[0-9a-f]{24}$/);
    }),
  );
});

test('a version that somebody else made counts as what it says', () => {
  expect(sumFromText('v1')).toBe(sumOfText('v1'));
  expect(sumFromText('v1')).not.toBe(sumFromText('v2'));
});
