import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildExtension } from '../../../../test/support/extensions.ts';
import { plainFields } from '../../../../test/support/plain-fields.ts';
import { HeaderEdits } from '../../../http/header-edits.ts';
import { decodeHttpFilterConfig } from '../../../resource/decode-extension.ts';
import { type PeerCertificate, PLAINTEXT, type TransportFacts } from '../../../transport-socket/transport-socket.ts';
import { plainPath } from './path-rule.ts';
import { denialDetails, RbacEngine } from './rbac-engine.ts';
import type { RbacSubject } from './rbac-subject.ts';

type Json = Readonly<Record<string, unknown>>;

const ANY = [{ any: true }];
const WEB = 'spiffe://11111111.consul/ns/default/dc/dc1/svc/web';
const ofService = (name: string): Json => ({
  authenticated: {
    principalName: { safeRegex: { regex: `^spiffe://11111111\\.consul/ns/default/dc/[^/]+/svc/${name}$` } },
  },
});

function engine(
  action: 'ALLOW' | 'DENY' | 'LOG',
  permissions: readonly Json[],
  principals: readonly Json[],
): RbacEngine {
  const rules = { action, policies: { only: { permissions, principals } } };
  const config = decodeHttpFilterConfig(buildExtension('envoy.extensions.filters.http.rbac.v3.RBAC', { rules }));
  if (!config.ok || config.value.kind !== 'rbac' || config.value.rules === undefined) throw new Error('no rules');
  return new RbacEngine(config.value.rules);
}

function certificate(names: Partial<PeerCertificate>): TransportFacts {
  const peerCertificate: PeerCertificate = {
    uriNames: [],
    dnsNames: [],
    subject: '',
    issuer: '',
    serialNumber: '01',
    sha256Fingerprint: '',
    chainPem: '',
    notAfterMs: 0,
    pem: '',
    ...names,
  };
  return { ...PLAINTEXT, isTls: true, peerCertificate };
}

interface Asked {
  readonly path?: string;
  readonly method?: string;
  readonly authority?: string;
  readonly fields?: readonly (readonly [string, string])[];
  readonly removed?: string;
  readonly added?: readonly [string, string];
}

function request(asked: Asked = {}, overrides: Partial<RbacSubject> = {}): RbacSubject {
  const fields = plainFields((asked.fields ?? []).map(([name, value]) => [name, value]));
  const requestEdits = new HeaderEdits();
  if (asked.removed !== undefined) requestEdits.remove(fields, asked.removed);
  if (asked.added !== undefined) requestEdits.add(...asked.added);
  const head = {
    version: 11,
    method: asked.method ?? 'GET',
    scheme: 'http',
    authority: asked.authority ?? 'web',
    path: asked.path ?? '/',
    fields,
    bodyLength: 0,
    upgrade: '',
    expectContinue: false,
  } as const;
  return {
    transport: certificate({ uriNames: [WEB] }),
    serverName: '',
    directRemoteAddress: '10.0.0.9',
    remoteAddress: '192.168.1.7',
    destinationAddress: '10.0.0.1',
    destinationPort: 8080,
    request: { head, requestEdits },
    ...overrides,
  };
}

/** Whether a request gets through, under a policy that allows what matches and one that denies it. */
function outcome(permissions: readonly Json[], principals: readonly Json[], subject: RbacSubject): string {
  const letsIn = (action: 'ALLOW' | 'DENY'): boolean => {
    const rules = engine(action, permissions, principals);
    return rules.allows(rules.matchedPolicy(subject));
  };
  const [allow, deny] = [letsIn('ALLOW'), letsIn('DENY')];
  if (allow && !deny) return 'matches';
  if (!allow && deny) return 'differs';
  return allow || deny ? 'contradiction' : 'unclear';
}

describe('actions', () => {
  it('ALLOW without a matching policy denies, DENY without one allows, LOG allows either way', () => {
    const nobody = [ofService('nobody')];
    expect(engine('ALLOW', ANY, nobody).allows(engine('ALLOW', ANY, nobody).matchedPolicy(request()))).toBe(false);
    expect(engine('DENY', ANY, nobody).allows(undefined)).toBe(true);
    expect(engine('LOG', ANY, ANY).allows('only')).toBe(true);
    expect(engine('LOG', ANY, ANY).allows(undefined)).toBe(true);
  });

  it('a policy set without policies allows nobody, or denies nobody', () => {
    const empty = { action: 'allow', policies: new Map() } as const;
    expect(new RbacEngine(empty).allows(new RbacEngine(empty).matchedPolicy(request()))).toBe(false);
    const denying = new RbacEngine({ ...empty, action: 'deny' });
    expect(denying.allows(denying.matchedPolicy(request()))).toBe(true);
  });

  it('a refusal names the policy, or none', () => {
    expect(denialDetails('allow web\tx')).toBe('rbac_access_denied_matched_policy[allow_web_x]');
    expect(denialDetails(undefined)).toBe('rbac_access_denied_matched_policy[none]');
  });
});

describe('who', () => {
  const web = [ofService('web')];
  const spiffe = { uriNames: [WEB] };
  it.each([
    ['its URI name', certificate(spiffe), 'matches'],
    ['another service', certificate({ uriNames: [`${WEB}er`] }), 'differs'],
    ['no certificate', PLAINTEXT, 'differs'],
    ['a certificate without TLS, which cannot be', { ...certificate(spiffe), isTls: false }, 'differs'],
    ['the URI in a DNS name', certificate({ dnsNames: [WEB] }), 'differs'],
    [
      'the URI in the subject beside another URI name',
      certificate({ uriNames: ['spiffe://x/y'], subject: WEB }),
      'differs',
    ],
    [
      'the URI in a DNS name beside another URI name',
      certificate({ uriNames: ['spiffe://x/y'], dnsNames: [WEB] }),
      'differs',
    ],
    ['two URI names of which one matches', certificate({ uriNames: [WEB, 'spiffe://x/y'] }), 'unclear'],
    ['a newline behind it', certificate({ uriNames: [`${WEB}\n`] }), 'differs'],
  ])('authenticated: %s', (_, transport, expected) => {
    expect(outcome(ANY, web, request({}, { transport }))).toBe(expected);
  });

  it('DNS names count where there are no URI names, the subject where there are neither', () => {
    const byDns = [{ authenticated: { principalName: { exact: 'web.example' } } }];
    const bySubject = [{ authenticated: { principalName: { suffix: 'CN=web' } } }];
    const dns = request({}, { transport: certificate({ dnsNames: ['web.example'], subject: 'CN=web' }) });
    expect(outcome(ANY, byDns, dns)).toBe('matches');
    expect(outcome(ANY, bySubject, dns)).toBe('differs');
    const plain = request({}, { transport: certificate({ subject: 'O=x,CN=web' }) });
    expect(outcome(ANY, bySubject, plain)).toBe('matches');
  });

  it('without a name anybody with a verified certificate', () => {
    expect(outcome(ANY, [{ authenticated: {} }], request())).toBe('matches');
    expect(outcome(ANY, [{ authenticated: {} }], request({}, { transport: PLAINTEXT }))).toBe('differs');
  });

  it.each([
    [{ remoteIp: { addressPrefix: '192.168.0.0', prefixLen: 16 } }, {}, 'matches'],
    [{ directRemoteIp: { addressPrefix: '192.168.0.0', prefixLen: 16 } }, {}, 'differs'],
    [{ directRemoteIp: { addressPrefix: '10.0.0.9', prefixLen: 32 } }, {}, 'matches'],
    [{ remoteIp: { addressPrefix: '192.168.0.0', prefixLen: 16 } }, { remoteAddress: '::ffff:192.168.1.7' }, 'matches'],
    [{ remoteIp: { addressPrefix: 'fd00::', prefixLen: 8 } }, { remoteAddress: 'fd12::1' }, 'matches'],
    [{ remoteIp: { addressPrefix: 'fd00::', prefixLen: 8 } }, { remoteAddress: '' }, 'unclear'],
    [{ notId: { remoteIp: { addressPrefix: 'fd00::', prefixLen: 8 } } }, { remoteAddress: '' }, 'unclear'],
  ])('by address: %j %j', (principal, overrides, expected) => {
    expect(outcome(ANY, [principal], request({}, overrides))).toBe(expected);
  });

  it('all but some: what Consul writes for an intention with exceptions', () => {
    const allBut = [
      { andIds: { ids: [ofService('[^/]+'), { notId: ofService('web') }, { notId: ofService('cron') }] } },
    ];
    expect(outcome(ANY, allBut, request())).toBe('differs');
    const other = certificate({ uriNames: [WEB.replace('/web', '/api')] });
    expect(outcome(ANY, allBut, request({}, { transport: other }))).toBe('matches');
    expect(outcome(ANY, allBut, request({}, { transport: PLAINTEXT }))).toBe('differs');
  });

  it('a service of a peer behind its mesh gateway, by the certificate that was passed on', () => {
    const gateway = 'spiffe://22222222.consul/gateway/mesh/dc/dc2';
    const xfcc = (name: string): Json => ({
      header: {
        name: 'x-forwarded-client-cert',
        stringMatch: {
          safeRegex: { regex: `^[^,]+;URI=spiffe://peer\\.domain/ns/default/dc/[^/]+/svc/${name}(?:[;,].*)?$` },
        },
      },
    });
    const byGateway = { authenticated: { principalName: { exact: gateway } } };
    const imported = [{ andIds: { ids: [byGateway, xfcc('[^/]+'), { notId: xfcc('web') }] } }];
    const from = (uri: string): RbacSubject =>
      request(
        {
          fields: [
            ['x-forwarded-client-cert', `By=spiffe://b;Hash=1;Cert="x";URI=${uri},By=spiffe://c;URI=${gateway}`],
          ],
        },
        { transport: certificate({ uriNames: [gateway] }) },
      );
    expect(outcome(ANY, imported, from('spiffe://peer.domain/ns/default/dc/dc2/svc/api'))).toBe('matches');
    expect(outcome(ANY, imported, from('spiffe://peer.domain/ns/default/dc/dc2/svc/web'))).toBe('differs');
    expect(outcome(ANY, imported, request({}, { transport: certificate({ uriNames: [gateway] }) }))).toBe('differs');
  });
});

describe('what', () => {
  const header = (name: string, match: Json): Json[] => [{ header: { name, ...match } }];
  it.each([
    ['exact', { stringMatch: { exact: 'a' } }, [['x', 'a']], 'matches'],
    ['no case', { stringMatch: { exact: 'A', ignoreCase: true } }, [['x', 'a']], 'matches'],
    ['another value', { stringMatch: { exact: 'a' } }, [['x', 'b']], 'differs'],
    ['missing', { stringMatch: { exact: 'a' } }, [], 'differs'],
    ['missing and inverted, as Envoy has it', { stringMatch: { exact: 'a' }, invertMatch: true }, [], 'differs'],
    ['missing taken for empty', { stringMatch: { exact: '' }, treatMissingHeaderAsEmpty: true }, [], 'matches'],
    ['present', { presentMatch: true }, [['x', '']], 'matches'],
    ['absent', { presentMatch: true, invertMatch: true }, [], 'matches'],
    [
      'two lines that both match, and so does the whole',
      { stringMatch: { prefix: 'a' } },
      [
        ['x', 'a'],
        ['x', 'ab'],
      ],
      'matches',
    ],
    [
      'two lines of which the first matches',
      { stringMatch: { exact: 'a' } },
      [
        ['x', 'a'],
        ['x', 'b'],
      ],
      'unclear',
    ],
    [
      'two lines of which the last matches',
      { stringMatch: { exact: 'a' } },
      [
        ['x', 'b'],
        ['x', 'a'],
      ],
      'unclear',
    ],
    ['the same in one line', { stringMatch: { exact: 'a' } }, [['x', 'b, a']], 'unclear'],
    ['inverted, in one line', { stringMatch: { exact: 'a' }, invertMatch: true }, [['x', 'b, a']], 'unclear'],
    ['a list without it', { stringMatch: { exact: 'a' } }, [['x', 'b, c']], 'differs'],
    ['a value with commas that matches whole', { stringMatch: { prefix: 'b' } }, [['x', 'b, c']], 'matches'],
    [
      'bytes that are no UTF-8',
      { stringMatch: { safeRegex: { regex: '.*secret.*' } } },
      [['x', '\xff\xfesecret\x80']],
      'matches',
    ],
    ['UTF-8', { stringMatch: { exact: 'é' } }, [['x', 'Ã©']], 'matches'],
    ['in range', { rangeMatch: { start: '1', end: '3' } }, [['x', '2']], 'matches'],
    ['out of range', { rangeMatch: { start: '1', end: '3' } }, [['x', '3']], 'differs'],
  ] as const)('a field: %s', (_, match, fields, expected) => {
    expect(outcome(header('x', match), ANY, request({ fields: fields as Asked['fields'] & object }))).toBe(expected);
  });

  it('a field is what the upstream will get: what was removed is not there, what was added is', () => {
    const rule = header('x', { stringMatch: { exact: 'a' } });
    expect(outcome(rule, ANY, request({ fields: [['x', 'a']], removed: 'x' }))).toBe('differs');
    expect(outcome(rule, ANY, request({ added: ['x', 'a'] }))).toBe('matches');
  });

  it('hosts have no case and may end in a dot', () => {
    const rule = header(':authority', { stringMatch: { exact: 'internal.example' } });
    expect(outcome(rule, ANY, request({ authority: 'internal.example' }))).toBe('matches');
    expect(outcome(rule, ANY, request({ authority: 'Internal.example' }))).toBe('unclear');
    expect(outcome(rule, ANY, request({ authority: 'internal.example.' }))).toBe('unclear');
    expect(outcome(rule, ANY, request({ authority: 'other.example' }))).toBe('differs');
  });

  it.each([
    [{ prefix: '/v1' }, '/v1/x?y=/v2', 'matches'],
    [{ exact: '/v1' }, '/v1?x', 'matches'],
    [{ exact: '/v1' }, '/v1#x', 'matches'],
    [{ prefix: '/admin' }, '//admin', 'unclear'],
    [{ prefix: '/admin' }, '/x/../admin', 'unclear'],
    [{ prefix: '/admin' }, '/%61dmin', 'unclear'],
    [{ prefix: '/admin' }, '/x%2f..%2Fadmin', 'unclear'],
    [{ prefix: '/admin' }, '/x;y/../admin', 'unclear'],
    [{ prefix: '/admin' }, '/..;/admin', 'unclear'],
    [{ prefix: '/admin' }, '\\admin', 'unclear'],
    [{ prefix: '/public' }, '/public/../admin', 'unclear'],
    [{ prefix: '/public' }, '/public/%2e%2e/admin', 'unclear'],
    [{ prefix: '/public' }, '/public/a%20b', 'matches'],
    [{ safeRegex: { regex: '/v[123]' } }, '/v2', 'matches'],
    [{ safeRegex: { regex: '/v[123]' } }, '/v2/x', 'differs'],
  ])('a path: %j %s', (path, asked, expected) => {
    expect(outcome([{ urlPath: { path } }], ANY, request({ path: asked }))).toBe(expected);
  });

  it.each([
    [{ destinationPort: 8080 }, 'matches'],
    [{ destinationPort: 80 }, 'differs'],
    [{ destinationPortRange: { start: 8000, end: 8080 } }, 'differs'],
    [{ destinationPortRange: { start: 8000, end: 8081 } }, 'matches'],
    [{ destinationIp: { addressPrefix: '10.0.0.0', prefixLen: 8 } }, 'matches'],
    [{ requestedServerName: { exact: 'web.internal' } }, 'matches'],
    [{ notRule: { requestedServerName: { exact: 'web.internal' } } }, 'differs'],
  ])('a place: %j', (permission, expected) => {
    expect(outcome([permission], ANY, request({}, { serverName: 'web.internal' }))).toBe(expected);
  });

  it('rules about requests decide nothing about a connection', () => {
    const connection = request({}, { request: undefined });
    expect(outcome(header('x', { presentMatch: true }), ANY, connection)).toBe('unclear');
    expect(outcome([{ notRule: { urlPath: { path: { prefix: '/' } } } }], ANY, connection)).toBe('unclear');
  });

  it('a path and some methods, but not a secret: what Consul writes for permissions in order of precedence', () => {
    const read = {
      andRules: {
        rules: [
          { urlPath: { path: { prefix: '/v1' } } },
          { header: { name: ':method', stringMatch: { safeRegex: { regex: 'GET|HEAD' } } } },
        ],
      },
    };
    const rules = [{ andRules: { rules: [read, { notRule: { urlPath: { path: { exact: '/v1/secret' } } } }] } }];
    expect(outcome(rules, ANY, request({ path: '/v1/x' }))).toBe('matches');
    expect(outcome(rules, ANY, request({ path: '/v1/x', method: 'POST' }))).toBe('differs');
    expect(outcome(rules, ANY, request({ path: '/v1/secret' }))).toBe('differs');
    expect(outcome(rules, ANY, request({ path: '/v1/%73ecret' }))).toBe('unclear');
  });
});

describe('spellings of a path', () => {
  it('whatever rule there is, a spelling of a path gets the answer of the plain one, or none', () => {
    const segment = fc.constantFrom('a', 'b', 'admin', 'x.y');
    const spelling = fc.constantFrom(
      (path: string) => path,
      (path: string) => path.replace('/', '//'),
      (path: string) => `/q/..${path}`,
      (path: string) => path.replaceAll('a', '%61'),
      (path: string) => `/.${path}`,
      (path: string) => path.replace(/\/(\w+)/, '/$1;p=1'),
      (path: string) => path.replace('/', '/%2e/'),
      (path: string) => path.replaceAll('/', '\\').replace('\\', '/'),
      (path: string) => path.replace(/\/(\w+)$/, '%2F$1'),
    );
    const rule = fc.constantFrom<Json>(
      { exact: '/a/admin' },
      { prefix: '/admin' },
      { suffix: 'b' },
      { contains: 'min' },
    );
    fc.assert(
      fc.property(fc.array(segment, { minLength: 1, maxLength: 4 }), spelling, rule, (segments, spell, path) => {
        const plain = `/${segments.join('/')}`;
        const rules = [{ urlPath: { path } }];
        const expected = outcome(rules, ANY, request({ path: plain }));
        expect([expected, 'unclear']).toContain(outcome(rules, ANY, request({ path: spell(plain) })));
      }),
      { numRuns: 300 },
    );
  });

  it.each([
    ['/a/b', '/a/b'],
    ['/a//b/', '/a/b/'],
    ['/a/./b/..', '/a/'],
    ['/../..', '/'],
    ['/%2e%2E/a', '/a'],
    ['/a;x=1/b;y', '/a/b'],
    ['/a%3Bx/b', '/a/b'],
    ['/a%252e', '/a%252e'],
  ])('%s is plainly %s', (path, plain) => {
    expect(plainPath(path)).toBe(plain);
  });
});
