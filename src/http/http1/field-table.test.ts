import { expect, test } from 'vitest';
import { HOP_BY_HOP, Http1Fields, keyOfBytes, keyOfName } from './field-table.ts';

function tableOf(...lines: readonly string[]): Http1Fields {
  const fields = new Http1Fields();
  fields.raw = lines.map((line) => `${line}\r\n`).join('');
  const bytes = Buffer.from(fields.raw, 'latin1');
  let start = 0;
  for (const line of lines) {
    const nameEnd = start + line.indexOf(':');
    const valueStart = nameEnd + 2;
    const valueEnd = start + line.length;
    fields.push(start, nameEnd, valueStart, valueEnd, keyOfBytes(bytes, start, nameEnd), 0);
    start = valueEnd + 2;
  }
  return fields;
}

test('names that agree in length, first and last character are told apart', () => {
  const fields = tableOf('x-abd: 1', 'x-cbd: 2', 'X-ACD: 3', 'x-abcd: 4', 'y-abd: 5', 'x-abe: 6');
  expect(['x-abd', 'x-cbd', 'x-acd', 'x-abcd', 'x-abe', 'x-add'].map((name) => fields.indexOf(name))).toEqual([
    0, 1, 2, 3, 5, -1,
  ]);
  expect([fields.get('x-acd'), fields.get('x-acc')]).toEqual(['3', undefined]);
});

test('a field is found again from where the search left off, in any case', () => {
  const fields = tableOf('a: 1', 'b: 2', 'A: 3');
  expect([fields.indexOf('a'), fields.indexOf('a', 1), fields.indexOf('a', 3)]).toEqual([0, 2, -1]);
  expect([fields.nameAt(2), fields.valueAt(2)]).toEqual(['a', '3']);
});

test('the underscore and the dash, and signs that differ by one bit, are different names', () => {
  const fields = tableOf('a_b: 1', 'a^b: 2');
  expect([fields.indexOf('a-b'), fields.indexOf('a~b'), fields.indexOf('a_b')]).toEqual([-1, -1, 0]);
});

test('more fields than the table began with are kept', () => {
  const lines = Array.from({ length: 100 }, (_, index) => `x-${index}: ${index}`);
  const fields = tableOf(...lines);
  expect(fields.count).toBe(100);
  expect(lines.every((line, index) => line === `${fields.nameAt(index)}: ${fields.valueAt(index)}`)).toBe(true);
});

test('dropping fields keeps the order and the flags of the rest', () => {
  const fields = tableOf('a: 1', 'b: 2', 'b: 4', 'c: 3', 'e: 6', 'd: 5');
  fields.addFlags(5, HOP_BY_HOP);
  fields.dropWhere((name) => name === 'b' || name === 'e');
  expect([fields.count, fields.valueAt(0), fields.valueAt(1), fields.valueAt(2)]).toEqual([3, '1', '3', '5']);
  expect([fields.isHopByHop(0), fields.isHopByHop(1), fields.isHopByHop(2)]).toEqual([false, false, true]);
});

test('the key of a name is that of its bytes in any case', () => {
  const bytes = Buffer.from('Content-LengtH');
  expect(keyOfBytes(bytes, 0, bytes.length)).toBe(keyOfName('content-length'));
});
