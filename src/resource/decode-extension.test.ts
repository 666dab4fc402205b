import { expect, test } from 'vitest';
import { decodeHttpFilterConfig } from './resource.ts';
import { buildAny } from './strict-builder.ts';
import { typed } from './testing/valid-resources.ts';

test('a filter config is opened for its factory', () => {
  const rules = {
    action: 'DENY',
    policies: {
      p: {
        permissions: [{ notRule: { urlPath: { path: { prefix: '/admin' } } } }],
        principals: [{ authenticated: { principalName: { safeRegex: { regex: '^spiffe://.*$' } } } }],
      },
    },
  };
  const any = buildAny(typed('envoy.extensions.filters.http.rbac.v3.RBAC', { rules }));
  expect(any.ok && decodeHttpFilterConfig(any.value)).toEqual({
    ok: true,
    value: {
      kind: 'rbac',
      shadowRules: undefined,
      rules: {
        action: 'deny',
        policies: new Map([
          [
            'p',
            {
              permissions: [
                {
                  kind: 'not',
                  rule: { kind: 'urlPath', matcher: { kind: 'prefix', value: '/admin', ignoreCase: false } },
                },
              ],
              principals: [{ kind: 'authenticated', principalName: { kind: 'safeRegex', pattern: '^spiffe://.*$' } }],
            },
          ],
        ]),
      },
    },
  });
});
