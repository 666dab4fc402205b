import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Intention, IntentionPermission, ServiceIntentions } from '../../../src/control/translate/intentions.ts';
import { type Call, intentionsOfApi, type Json, letsIn, ownEngine } from './rules-of.ts';

/** What Consul's documentation says of intentions, as plainly as it can be said: the strongest that matches decides. */
function decided(known: ServiceIntentions, call: Call, isHttp: boolean): boolean {
  const byDefault = known.defaultPolicy === 'allow';
  const intention = known.intentions.find(({ source }) => source === '*' || source === call.source);
  if (intention === undefined) return byDefault;
  const { decision } = intention;
  if (decision.kind !== 'permissions') return decision.kind === 'allow' && !needsToken(intention);
  if (!isHttp) return false;
  const permission = decision.permissions.find((each) => covers(each, call));
  if (permission === undefined) return byDefault;
  return permission.action === 'allow' && permission.jwtProviders.length === 0 && !needsToken(intention);
}

function needsToken({ jwtProviders }: Intention): boolean {
  return jwtProviders.length > 0;
}

function covers({ path, methods, headers }: IntentionPermission, call: Call): boolean {
  if (path.kind === 'exact' && call.path !== path.value) return false;
  if (path.kind === 'prefix' && !call.path.startsWith(path.value)) return false;
  if (methods.length > 0 && !methods.includes(call.method)) return false;
  // As Envoy reads it for Consul: of a field that is not there, nothing is true, nor its opposite.
  return headers.every(({ name, value, isInverted }) =>
    (call.fields ?? []).some(([field, text]) => field === name && (text === value) !== isInverted),
  );
}

const ACTION = fc.constantFrom('allow', 'deny');
const PERMISSION = fc.record({
  Action: ACTION,
  HTTP: fc.record({
    PathExact: fc.constantFrom('', '', '/a', '/b'),
    PathPrefix: fc.constantFrom('', '/', '/a'),
    Methods: fc.constantFrom([], ['GET'], ['GET', 'PUT']),
    Header: fc.constantFrom([], [{ Name: 'x', Exact: 'y' }], [{ Name: 'x', Exact: 'y', Invert: true }]),
  }),
});
const SOURCE = (name: string, precedence: number): fc.Arbitrary<Json> =>
  fc.oneof(
    fc.record({ Name: fc.constant(name), Precedence: fc.constant(precedence), Action: ACTION }),
    fc.record({
      Name: fc.constant(name),
      Precedence: fc.constant(precedence),
      Permissions: fc.array(PERMISSION, { minLength: 1, maxLength: 4 }),
    }),
  );
/** Consul's numbers: what names its destination counts before what names its source. */
const ENTRY = (destination: string, exact: number): fc.Arbitrary<Json> =>
  fc
    .tuple(SOURCE('web', exact), SOURCE('cli', exact), SOURCE('*', exact - 1), fc.subarray([0, 1, 2]))
    .map(([web, cli, all, chosen]) => ({
      ...{ Kind: 'service-intentions', Name: destination, ModifyIndex: 9 },
      Sources: chosen.map((at) => [web, cli, all][at]),
    }));
const CALL = fc.record({
  source: fc.constantFrom('web', 'cli', 'other', 'web-2', 'webx'),
  datacenter: fc.constantFrom('dc1', 'dc2'),
  method: fc.constantFrom('GET', 'PUT', 'POST'),
  path: fc.constantFrom('/', '/a', '/ab', '/b', '/c'),
  fields: fc.constantFrom([], [['x', 'y']] as const, [['x', 'z']] as const),
});

test('whatever intentions there are, each call is decided by the strongest one that is about it', () => {
  fc.assert(
    fc.property(
      ...[ENTRY('api', 9), ENTRY('*', 6), fc.constantFrom('allow', 'deny', ''), fc.boolean()],
      fc.array(CALL, { minLength: 5, maxLength: 5 }),
      (own, forAll, defaultPolicy, isHttp, calls) => {
        const known = intentionsOfApi([own, forAll], defaultPolicy);
        const engine = ownEngine(known, isHttp);
        for (const call of calls) expect(letsIn(engine, call)).toBe(decided(known, call, isHttp));
      },
    ),
    { numRuns: 400 },
  );
});

describe('in doubt nobody is let in', () => {
  const web: Call = { source: 'web', method: 'GET', path: '/' };
  const entry = (...Sources: readonly Json[]): readonly Json[] => [
    { Kind: 'service-intentions', Name: 'api', ModifyIndex: 9, Sources },
  ];

  test('intentions that cannot be read let nobody in', () => {
    expect(letsIn(ownEngine(undefined, true), web)).toBe(false);
  });

  test('an agent that does not say its default policy is taken for one that denies', () => {
    expect(letsIn(ownEngine(intentionsOfApi([], ''), true), web)).toBe(false);
    expect(letsIn(ownEngine(intentionsOfApi([], 'allow'), true), web)).toBe(true);
  });

  test.each(['allow', 'deny'])('an intention that demands a token lets nobody in (default %s)', (defaultPolicy) => {
    const JWT = { Providers: [{ Name: 'okta' }] };
    const ofCall = entry({
      Name: 'web',
      Precedence: 9,
      Permissions: [{ Action: 'allow', HTTP: { PathPrefix: '/' }, JWT }],
    });
    expect(letsIn(ownEngine(intentionsOfApi(ofCall, defaultPolicy), true), web)).toBe(false);
    const ofAll = [{ ...entry({ Name: 'web', Precedence: 9, Action: 'allow' })[0], JWT }];
    expect(letsIn(ownEngine(intentionsOfApi(ofAll, defaultPolicy), true), web)).toBe(false);
  });

  test('where all services are denied, so is a certificate that is none of a service', () => {
    const engine = ownEngine(intentionsOfApi(entry({ Name: '*', Precedence: 8, Action: 'deny' }), 'allow'), true);
    expect(letsIn(engine, { ...web, source: 'a/b' })).toBe(false);
  });

  test('a source of a peer is no service of this mesh', () => {
    const peer = entry({ Name: 'web', Peer: 'east', Precedence: 9, Action: 'allow' });
    expect(letsIn(ownEngine(intentionsOfApi(peer, 'deny'), true), web)).toBe(false);
  });
});
