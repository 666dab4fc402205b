import { describe } from 'vitest';
import {
  connectionManager,
  type Json,
  listener,
  ROUTER,
  refused,
  routeConfiguration,
  typed,
  virtualHost,
} from './testing/valid-resources.ts';
import { LISTENER_TYPE } from './type-url.ts';

const CHAIN = 'filter_chains[0]';
const HCM = `${CHAIN}.filters[0].typed_config`;
const withHcm = (fields: Json): Json => listener({ filterChains: [{ filters: [connectionManager(fields)] }] });

describe('a connection manager is refused for', () => {
  const rbac = (rules: Json): Json => ({
    name: 'rbac',
    typedConfig: typed('envoy.extensions.filters.http.rbac.v3.RBAC', rules),
  });
  const unknown = { name: 'gzip', typedConfig: typed('envoy.config.core.v3.Node') };
  refused(LISTENER_TYPE, [
    ['no filter at all', withHcm({ httpFilters: [] }), `${HCM}.http_filters`],
    ['no router', withHcm({ httpFilters: [rbac({})] }), `${HCM}.http_filters`],
    ['a filter after the router', withHcm({ httpFilters: [ROUTER, rbac({})] }), `${HCM}.http_filters`],
    ['an unknown filter', withHcm({ httpFilters: [unknown, ROUTER] }), `${HCM}.http_filters[0].typed_config`],
    [
      'a router that is off',
      withHcm({ httpFilters: [{ ...ROUTER, disabled: true }] }),
      `${HCM}.http_filters[0].disabled`,
    ],
    [
      'an RBAC matcher tree, which would be enforced',
      withHcm({ httpFilters: [rbac({ matcher: {} }), ROUTER] }),
      `${HCM}.http_filters[0].typed_config.matcher`,
    ],
    [
      'an RBAC policy without principals',
      withHcm({ httpFilters: [rbac({ rules: { policies: { p: { permissions: [{ any: true }] } } } }), ROUTER] }),
      `${HCM}.http_filters[0].typed_config.rules.policies[p].principals`,
    ],
    [
      'a bad regex in a filter',
      withHcm({
        httpFilters: [
          rbac({
            rules: {
              policies: {
                p: {
                  permissions: [{ any: true }],
                  principals: [{ authenticated: { principalName: { safeRegex: { regex: '(' } } } }],
                },
              },
            },
          }),
          ROUTER,
        ],
      }),
      `${HCM}.http_filters[0].typed_config.rules.policies[p].principals[0].authenticated.principal_name.safe_regex.regex`,
    ],
    ['a negative timeout', withHcm({ requestTimeout: '-1s' }), `${HCM}.request_timeout`],
    ['HTTP/3', withHcm({ codecType: 'HTTP3' }), `${HCM}.codec_type`],
    ['no route name', withHcm({ rds: { configSource: { ads: {} } } }), `${HCM}.rds.route_config_name`],
    [
      'trust in another source of client addresses',
      withHcm({ originalIpDetectionExtensions: [{ name: 'x' }] }),
      `${HCM}.original_ip_detection_extensions`,
    ],
    [
      'a percentage above 100',
      withHcm({ tracing: { randomSampling: { value: 101 } } }),
      `${HCM}.tracing.random_sampling.value`,
    ],
    [
      'a filter on an access log',
      withHcm({
        accessLog: [
          {
            filter: { notHealthCheckFilter: {} },
            typedConfig: typed('envoy.extensions.access_loggers.stream.v3.StdoutAccessLog'),
          },
        ],
      }),
      `${HCM}.access_log[0].filter`,
    ],
    [
      'a fault inside inline routes',
      withHcm({ routeConfig: routeConfiguration({ virtualHosts: [virtualHost({ domains: [] })] }) }),
      `${HCM}.route_config.virtual_hosts[0].domains`,
    ],
  ]);
});
