import { expect, test } from 'vitest';
import { compileFilter, FilterError, type SelectorTree } from './filter.ts';

const TREE: SelectorTree = {
  fields: {
    Node: 'string',
    Port: 'number',
    Native: 'boolean',
    Tags: 'list',
    Meta: 'map',
    Checks: { fields: { Status: 'string', Name: 'string' } },
    Addresses: { each: { fields: { Address: 'string' } } },
  },
};

const ROW = {
  Node: 'vm-1',
  Port: 80,
  Tags: ['v1', 'blue'],
  Meta: { version: '2', 'with-dash': 'x' },
  Checks: [{ Status: 'passing' }, { Status: 'critical' }],
  Addresses: { lan: { Address: '10.0.0.1' } },
};

test.each([
  ['Node == vm-1', true],
  ['Node == "vm-1" and Port == 81', false],
  ['Node != vm-1 or Port != 81', true],
  ['not Node == vm-2', true],
  ['not (Node == vm-1 or Port == 80)', false],
  ['Native == false', true],
  ['Tags contains blue', true],
  ['blue in Tags', true],
  ['"green" not in Tags', true],
  ['Tags not contains v1', false],
  ['Tags is empty', false],
  ['Meta is not empty', true],
  ['version in Meta', true],
  ['Meta.version == 2', true],
  ['Meta["with-dash"] == `x`', true],
  ['Meta.missing == 2', false],
  ['Meta.missing != 2', true],
  ['Node contains "m-"', true],
  ['Node matches "^vm-[0-9]+$"', true],
  ['Node not matches "^web"', true],
  ['Checks.Status == critical', true],
  ['Checks.Status != critical', true],
  ['Checks is empty', false],
  ['Addresses.lan.Address == 10.0.0.1', true],
  ['Addresses.wan.Address == 10.0.0.1', false],
  ['Node == vm-1 or Port == 81 and Port == 82', true],
])('%s is %s', (source, expected) => {
  expect(compileFilter(source, TREE)(ROW)).toBe(expected);
});

test.each([
  ['', 'expected a selector'],
  ['Node ==', 'expected a value'],
  ['Node = x', 'unexpected character "="'],
  ['Node == "x', 'is not closed'],
  ['(Node == x', 'expected ")"'],
  ['Node == x y', 'expected and, or, or the end'],
  ['Nope == 1', 'Selector "Nope" is not valid'],
  ['Checks.Nope == 1', 'Selector "Checks.Nope" is not valid'],
  ['Meta.a.b == 1', 'Selector "Meta.a.b" is not valid'],
  ['Tags == v1', 'Invalid match operator "Equal" for selector "Tags"'],
  ['Port == abc', 'Failed to coerce value "abc"'],
  ['Node matches "(?=x)"', 'is not a regular expression RE2 accepts'],
  [`${'('.repeat(100)}Node == x`, 'nested deeper'],
])('%j is refused: %s', (source, reason) => {
  expect(() => compileFilter(source, TREE)).toThrow(FilterError);
  expect(() => compileFilter(source, TREE)).toThrow(reason);
});
