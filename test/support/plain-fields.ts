import type { RequestHead } from '../../src/http/head.ts';
import type { HeaderFields } from '../../src/http/header-fields.ts';

/** Header fields from pairs, for tests of rooms that sit above the codecs. */
export function plainFields(pairs: readonly (readonly [string, string])[]): HeaderFields {
  const indexOf = (name: string, from = 0): number => pairs.findIndex(([key], index) => index >= from && key === name);
  return {
    count: pairs.length,
    nameAt: (index) => pairs[index]?.[0] ?? '',
    valueAt: (index) => pairs[index]?.[1] ?? '',
    indexOf,
    get: (name) => pairs[indexOf(name)]?.[1],
    isHopByHop: () => false,
  };
}

export function plainRequest(
  path: string,
  pairs: readonly (readonly [string, string])[] = [],
  overrides: Partial<RequestHead> = {},
): RequestHead {
  return {
    version: 11,
    method: 'GET',
    scheme: 'http',
    authority: 'web.example',
    path,
    fields: plainFields(pairs),
    bodyLength: 0,
    upgrade: '',
    expectContinue: false,
    ...overrides,
  };
}
