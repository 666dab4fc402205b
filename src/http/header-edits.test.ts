import { expect, test } from 'vitest';
import { HeaderEdits, type HeaderFields } from './http.ts';

function fieldsOf(...names: readonly string[]): HeaderFields {
  return {
    count: names.length,
    nameAt: (index) => names[index] ?? '',
    valueAt: (index) => String(index),
    indexOf: (name, from = 0) => names.indexOf(name, from),
    get: (name) => (names.includes(name) ? String(names.indexOf(name)) : undefined),
    isHopByHop: () => false,
  };
}

test('removing a name removes every field of it, received or added', () => {
  const edits = new HeaderEdits();
  const fields = fieldsOf('a', 'b', 'a');
  edits.add('a', 'mine');
  edits.add('c', 'kept');
  edits.remove(fields, 'a');
  expect([0, 1, 2].map((index) => edits.isRemoved(index))).toEqual([true, false, true]);
  expect(edits.added).toEqual(['c', 'kept']);
});

test('setting a name leaves one field of it', () => {
  const edits = new HeaderEdits();
  edits.add('a', 'first');
  edits.set(fieldsOf('a'), 'a', 'second');
  expect([edits.isRemoved(0), edits.added]).toEqual([true, ['a', 'second']]);
});

test('a reset forgets everything, far indexes included', () => {
  const edits = new HeaderEdits();
  expect(edits.isEmpty).toBe(true);
  edits.removeAt(1000);
  edits.add('a', 'b');
  expect([edits.isRemoved(1000), edits.isRemoved(999), edits.isEmpty]).toEqual([true, false, false]);
  edits.reset();
  expect([edits.isRemoved(1000), edits.added.length, edits.isEmpty]).toEqual([false, 0, true]);
});

test('a line made beforehand stays with its own pair, and none is left behind for the next head', () => {
  const edits = new HeaderEdits();
  edits.add('a', '1');
  edits.addChecked('b', '2', 'b: 2\r\n');
  edits.addChecked('c', '3');
  edits.remove(fieldsOf(), 'a');
  expect([0, 1].map((pair) => [edits.addedName(pair), edits.addedLine(pair)])).toEqual([
    ['b', 'b: 2\r\n'],
    ['c', ''],
  ]);
  edits.reset();
  edits.add('d', '4');
  expect(edits.addedLine(0)).toBe('');
});
