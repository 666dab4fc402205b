import { describe, expect, it } from 'vitest';
import { plainFields } from '../../../test/support/plain-fields.ts';
import { NO_MUTATIONS } from '../../../test/support/resources.ts';
import { HeaderEdits } from '../../http/header-edits.ts';
import type { HeaderValueOption } from '../../resource/route-configuration.ts';
import { CompiledMutations } from './header-mutation.ts';

const fields = plainFields([
  ['x-a', '1'],
  ['x-b', '2'],
  ['x-a', '3'],
]);

function resultOf(added: readonly HeaderValueOption[], removed: readonly string[] = []): [string, string][] {
  const edits = new HeaderEdits();
  const mutations = new CompiledMutations([
    { ...NO_MUTATIONS, requestHeadersToAdd: added, requestHeadersToRemove: removed },
  ]);
  mutations.applyToRequest(edits, fields);
  const result: [string, string][] = [];
  for (let index = 0; index < fields.count; index++) {
    if (!edits.isRemoved(index)) result.push([fields.nameAt(index), fields.valueAt(index)]);
  }
  for (let pair = 0; pair < edits.added.length; pair += 2)
    result.push([edits.added[pair] ?? '', edits.added[pair + 1] ?? '']);
  return result;
}

describe('header mutations', () => {
  it.each([
    [
      'appendIfExistsOrAdd',
      [
        ['x-a', '1'],
        ['x-b', '2'],
        ['x-a', '3'],
        ['x-a', 'new'],
      ],
    ],
    [
      'overwriteIfExistsOrAdd',
      [
        ['x-b', '2'],
        ['x-a', 'new'],
      ],
    ],
    [
      'addIfAbsent',
      [
        ['x-a', '1'],
        ['x-b', '2'],
        ['x-a', '3'],
      ],
    ],
    [
      'overwriteIfExists',
      [
        ['x-b', '2'],
        ['x-a', 'new'],
      ],
    ],
  ] as const)('%s on a present field', (appendAction, expected) => {
    expect(resultOf([{ name: 'x-a', value: 'new', appendAction }])).toEqual(expected);
  });

  it.each([
    ['appendIfExistsOrAdd', true],
    ['overwriteIfExistsOrAdd', true],
    ['addIfAbsent', true],
    ['overwriteIfExists', false],
  ] as const)('%s on an absent field adds: %s', (appendAction, adds) => {
    expect(resultOf([{ name: 'x-c', value: 'new', appendAction }]).length).toBe(adds ? 4 : 3);
  });

  it('removes before it adds, so that a replaced field may be named in both', () => {
    expect(resultOf([{ name: 'x-a', value: 'new', appendAction: 'addIfAbsent' }], ['x-a'])).toEqual([
      ['x-b', '2'],
      ['x-a', 'new'],
    ]);
  });

  it('applies the most specific level first', () => {
    const level = (value: string) => ({
      ...NO_MUTATIONS,
      responseHeadersToAdd: [{ name: 'x-level', value, appendAction: 'appendIfExistsOrAdd' as const }],
    });
    const edits = new HeaderEdits();
    new CompiledMutations([level('route'), level('host')]).applyToResponse(edits, fields);
    expect(edits.added).toEqual(['x-level', 'route', 'x-level', 'host']);
  });
});
