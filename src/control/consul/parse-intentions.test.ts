import { describe, expect, it } from 'vitest';
import { serviceName } from '../translate/catalog.ts';
import { intentionsOf, unenforcedIntentions } from '../translate/intentions.ts';
import { parseIntentions } from './parse-intentions.ts';

/** As a real Consul 1.22.3 writes it. */
const BODY = [
  {
    Kind: 'service-intentions',
    Name: '*',
    Sources: [{ Name: 'web', Action: 'allow', Precedence: 6, Type: 'consul' }],
    ModifyIndex: 20,
  },
  {
    Kind: 'service-intentions',
    Name: 'api',
    Sources: [
      {
        Name: 'l7',
        Permissions: [
          {
            Action: 'allow',
            HTTP: { PathExact: '/x', Header: [{ Name: 'a', Exact: 'b', Invert: true }], Methods: ['GET'] },
          },
          { Action: 'deny', HTTP: { PathPrefix: '/' }, JWT: { Providers: [{ Name: 'okta' }] } },
        ],
        Precedence: 9,
      },
      { Name: '*', Action: 'deny', Precedence: 8 },
      { Name: 'cli', Action: 'allow', Precedence: 9 },
    ],
    ModifyIndex: 19,
  },
];
const API = serviceName('api');
const DB = serviceName('db');

describe('intentions', () => {
  it('are read strongest first, with what each permission looks at', () => {
    const { intentions, defaultPolicy } = intentionsOf(API, parseIntentions(BODY, 'deny'));
    expect(defaultPolicy).toBe('deny');
    expect(intentions.map(({ source, precedence }) => [source, precedence])).toEqual([
      ['cli', 9],
      ['l7', 9],
      ['*', 8],
      ['web', 6],
    ]);
    expect(intentions[1]?.decision).toEqual({
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
    expect(intentionsOf(DB, parseIntentions([], ''))).toEqual({ intentions: [], defaultPolicy: 'unknown' });
  });

  it.each([
    ['neither action nor permissions', {}],
    ['an action we do not know', { Action: 'maybe' }],
    ['a pattern that is no RE2', { Permissions: [{ Action: 'deny', HTTP: { PathRegex: '(' } }] }],
    ['a header condition that says nothing', { Permissions: [{ Action: 'deny', HTTP: { Header: [{ Name: 'x' }] } }] }],
  ])('with %s make the whole unreadable: to leave one out would be to decide differently', (_what, bad) => {
    const Sources = [
      { Name: 'a', Action: 'allow' },
      { Name: 'b', ...bad },
    ];
    expect(() => parseIntentions([...BODY, { Name: 'db', Sources }], '')).toThrow('[2].Sources[1]');
  });

  it('that nobody enforces are each named, and so is a default that denies', () => {
    const told = unenforcedIntentions(API, intentionsOf(API, parseIntentions(BODY, 'deny')));
    expect(told.map(({ where }) => where)).toEqual([
      'intention l7 → api (ModifyIndex 19)',
      'intention * → api (ModifyIndex 19)',
      'intentions of api',
    ]);
    for (const { message } of told) expect(message).toContain('not enforced');
    expect(unenforcedIntentions(DB, intentionsOf(DB, parseIntentions(BODY, 'allow')))).toEqual([]);
  });
});
