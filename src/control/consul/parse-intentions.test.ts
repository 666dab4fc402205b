import { describe, expect, it } from 'vitest';
import { serviceName } from '../translate/catalog.ts';
import { unenforcedIntentions } from '../translate/intentions.ts';
import { parseIntentions } from './parse-intentions.ts';

/** As a real Consul 1.22.3 writes it. */
const BODY = {
  api: [
    {
      SourceName: 'l7',
      DestinationName: 'api',
      Permissions: [
        {
          Action: 'allow',
          HTTP: { PathExact: '/x', Header: [{ Name: 'a', Exact: 'b', Invert: true }], Methods: ['GET'] },
        },
        { Action: 'deny', HTTP: { PathPrefix: '/' }, JWT: { Providers: [{ Name: 'okta' }] } },
      ],
      Precedence: 9,
      ModifyIndex: 19,
    },
    { SourceName: 'web', DestinationName: '*', Action: 'allow', Precedence: 6, ModifyIndex: 20 },
    { SourceName: '*', DestinationName: 'api', Action: 'deny', Precedence: 8, ModifyIndex: 21 },
  ],
};

describe('intentions', () => {
  it('are read strongest first, with what each permission looks at', () => {
    const { intentions, defaultPolicy } = parseIntentions('api', BODY, 'deny');
    expect(defaultPolicy).toBe('deny');
    expect(intentions.map(({ source, precedence }) => [source, precedence])).toEqual([
      ['l7', 9],
      ['*', 8],
      ['web', 6],
    ]);
    expect(intentions[0]?.decision).toEqual({
      kind: 'permissions',
      permissions: [
        {
          action: 'allow',
          path: { kind: 'exact', value: '/x' },
          methods: ['GET'],
          headers: [{ name: 'a', kind: 'exact', value: 'b', isInverted: true, ignoresCase: false }],
          jwtProviders: [],
        },
        { action: 'deny', path: { kind: 'prefix', value: '/' }, methods: [], headers: [], jwtProviders: ['okta'] },
      ],
    });
  });

  it('of a service that has none are none, and an agent that says no default is not guessed for', () => {
    expect(parseIntentions('db', {}, '')).toEqual({ intentions: [], defaultPolicy: 'unknown' });
  });

  it.each([
    ['neither action nor permissions', { SourceName: 'a', DestinationName: 'b' }],
    ['an action we do not know', { SourceName: 'a', DestinationName: 'b', Action: 'maybe' }],
    [
      'a pattern that is no RE2',
      { SourceName: 'a', DestinationName: 'b', Permissions: [{ Action: 'deny', HTTP: { PathRegex: '(' } }] },
    ],
    [
      'a header condition that says nothing',
      { SourceName: 'a', DestinationName: 'b', Permissions: [{ Action: 'deny', HTTP: { Header: [{ Name: 'x' }] } }] },
    ],
  ])('with %s make the whole unreadable: to leave one out would be to decide differently', (_what, row) => {
    expect(() => parseIntentions('b', { b: [row, { ...row, Action: 'allow', Permissions: [] }] }, '')).toThrow();
  });

  it('that nobody enforces are each named, and so is a default that denies', () => {
    const told = unenforcedIntentions(serviceName('api'), parseIntentions('api', BODY, 'deny'));
    expect(told.map(({ where }) => where)).toEqual([
      'intention l7 → api (ModifyIndex 19)',
      'intention * → api (ModifyIndex 21)',
      'intentions of api',
    ]);
    for (const { message } of told) expect(message).toContain('not enforced');
    expect(unenforcedIntentions(serviceName('db'), parseIntentions('db', {}, 'allow'))).toEqual([]);
  });
});
