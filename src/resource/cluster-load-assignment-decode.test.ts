import { describe, expect, test } from 'vitest';
import { assignment, decodedOk, endpoint, type Json, refused, socketAddress } from './testing/valid-resources.ts';
import { CLUSTER_LOAD_ASSIGNMENT_TYPE } from './type-url.ts';

describe('load assignments', () => {
  test('an unknown health is healthy, an absent weight is 1, and endpoints may be named', () => {
    const json = assignment({
      namedEndpoints: { b: { address: socketAddress('10.0.0.2', 81) } },
      endpoints: [
        { priority: 1, lbEndpoints: [{ endpointName: 'b', healthStatus: 'DRAINING', loadBalancingWeight: 5 }] },
        { lbEndpoints: [endpoint()] },
      ],
      policy: {
        dropOverloads: [{ category: 'throttle', dropPercentage: { numerator: 5, denominator: 'TEN_THOUSAND' } }],
      },
    });
    expect(decodedOk(CLUSTER_LOAD_ASSIGNMENT_TYPE, json)).toMatchObject({
      localities: [
        {
          priority: 1,
          endpoints: [{ address: { host: '10.0.0.2', port: 81 }, healthStatus: 'draining', loadBalancingWeight: 5 }],
        },
        { priority: 0, loadBalancingWeight: 1, endpoints: [{ healthStatus: 'healthy', loadBalancingWeight: 1 }] },
      ],
      dropOverloads: [{ category: 'throttle', fraction: 0.0005 }],
    });
  });
});

test('endpoints may have further addresses, and leave when nobody repeats them', () => {
  const additionalAddresses = [{ address: socketAddress('::1', 81) }];
  const lbEndpoints = [{ endpoint: { address: socketAddress('10.0.0.1', 80), additionalAddresses } }];
  const json = assignment({ endpoints: [{ lbEndpoints }], policy: { endpointStaleAfter: '30s' } });
  const decoded = decodedOk(CLUSTER_LOAD_ASSIGNMENT_TYPE, json);
  expect(decoded.staleAfterMs).toBe(30_000);
  expect(decoded.localities[0]?.endpoints[0]?.additionalAddresses).toEqual([{ kind: 'ip', host: '::1', port: 81 }]);
});

test('an endpoint may be checked elsewhere, by another name, or not at all', () => {
  const checked = (healthCheckConfig: Json): unknown => {
    const lbEndpoints = [{ endpoint: { address: socketAddress('10.0.0.1', 80), healthCheckConfig } }];
    const decoded = decodedOk(CLUSTER_LOAD_ASSIGNMENT_TYPE, assignment({ endpoints: [{ lbEndpoints }] }));
    return decoded.localities[0]?.endpoints[0]?.healthCheck;
  };
  const elsewhere = (host: string, port: number, hostname = ''): unknown => ({
    kind: 'elsewhere',
    address: { kind: 'ip', host, port },
    hostname,
  });
  expect(checked({})).toBeUndefined();
  expect(checked({ portValue: 9 })).toEqual(elsewhere('10.0.0.1', 9));
  expect(checked({ address: socketAddress('10.9.9.9', 1) })).toEqual(elsewhere('10.9.9.9', 1));
  expect(checked({ hostname: 'a.example' })).toEqual(elsewhere('10.0.0.1', 80, 'a.example'));
  expect(checked({ disableActiveHealthCheck: true, portValue: 9 })).toEqual({ kind: 'unchecked' });
});

describe('a load assignment is refused for', () => {
  const locality = (priority: number, zone = ''): Json => ({ locality: { zone }, priority, lbEndpoints: [endpoint()] });
  refused(CLUSTER_LOAD_ASSIGNMENT_TYPE, [
    ['a gap in its priorities', assignment({ endpoints: [locality(0), locality(2)] }), 'endpoints'],
    ['priorities that do not begin at 0', assignment({ endpoints: [locality(1)] }), 'endpoints'],
    [
      'one locality twice in one priority',
      assignment({ endpoints: [locality(0, 'a'), locality(0, 'a')] }),
      'endpoints[1].locality',
    ],
    [
      'a locality of weight 0',
      assignment({ endpoints: [{ ...locality(0), loadBalancingWeight: 0 }] }),
      'endpoints[0].load_balancing_weight',
    ],
    [
      'an endpoint of weight 0',
      assignment({ endpoints: [{ lbEndpoints: [endpoint('10.0.0.1', { loadBalancingWeight: 0 })] }] }),
      'endpoints[0].lb_endpoints[0].load_balancing_weight',
    ],
    [
      'weights beyond 32 bits',
      assignment({
        endpoints: [{ lbEndpoints: [endpoint('10.0.0.1', { loadBalancingWeight: 4294967295 }), endpoint('10.0.0.2')] }],
      }),
      'endpoints[0].lb_endpoints',
    ],
    [
      'an endpoint without address',
      assignment({ endpoints: [{ lbEndpoints: [{ endpoint: {} }] }] }),
      'endpoints[0].lb_endpoints[0].endpoint.address',
    ],
    [
      'a named endpoint that is not there',
      assignment({ endpoints: [{ lbEndpoints: [{ endpointName: 'x' }] }] }),
      'endpoints[0].lb_endpoints[0].endpoint_name',
    ],
    [
      'health checked at a port there is none of',
      assignment({
        endpoints: [
          { lbEndpoints: [{ endpoint: { address: { pipe: { path: '/x' } }, healthCheckConfig: { portValue: 9 } } }] },
        ],
      }),
      'endpoints[0].lb_endpoints[0].endpoint.health_check_config.port_value',
    ],
    [
      'an overprovisioning factor of 0',
      assignment({ policy: { overprovisioningFactor: 0 } }),
      'policy.overprovisioning_factor',
    ],
  ]);
});
