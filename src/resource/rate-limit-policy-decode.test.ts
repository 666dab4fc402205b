import { describe, expect, test } from 'vitest';
import { decodeStaticJson } from './resource.ts';
import {
  decodedOk,
  faultFields,
  type Json,
  route,
  routeConfiguration,
  virtualHost,
} from './testing/valid-resources.ts';
import { ROUTE_CONFIGURATION_TYPE } from './type-url.ts';

function configuration(rateLimit: Json): Json {
  const only = route({ route: { cluster: 'web', rateLimits: [rateLimit], includeVhRateLimits: true } });
  return routeConfiguration({ virtualHosts: [virtualHost({ routes: [only], rateLimits: [rateLimit] })] });
}

const metadataKey = { key: 'f', path: [{ key: 'a' }, { key: 'b' }] };

describe('rate limits of routes and virtual hosts', () => {
  test.each<[string, Json, Json]>([
    ['source_cluster', { sourceCluster: {} }, { kind: 'sourceCluster' }],
    ['destination_cluster', { destinationCluster: {} }, { kind: 'destinationCluster' }],
    ['remote_address', { remoteAddress: {} }, { kind: 'remoteAddress' }],
    [
      'masked_remote_address: all bits unless said',
      { maskedRemoteAddress: { v4PrefixMaskLen: 24 } },
      { kind: 'maskedRemoteAddress', v4PrefixLength: 24, v6PrefixLength: 128 },
    ],
    [
      'generic_key',
      { genericKey: { descriptorValue: 'v' } },
      { kind: 'genericKey', descriptorKey: 'generic_key', descriptorValue: 'v' },
    ],
    [
      'request_headers',
      { requestHeaders: { headerName: 'X-User', descriptorKey: 'user', skipIfAbsent: true } },
      { kind: 'requestHeader', name: 'x-user', descriptorKey: 'user', skipIfAbsent: true },
    ],
    [
      'query_parameters',
      { queryParameters: { queryParameterName: 'User', descriptorKey: 'user' } },
      { kind: 'queryParameter', name: 'User', descriptorKey: 'user', skipIfAbsent: false },
    ],
    [
      'header_value_match',
      { headerValueMatch: { descriptorValue: 'v', headers: [{ name: 'a', presentMatch: true }], expectMatch: false } },
      { kind: 'headerValueMatch', descriptorKey: 'header_match', descriptorValue: 'v', expectMatch: false },
    ],
    [
      'query_parameter_value_match',
      {
        queryParameterValueMatch: {
          descriptorValue: 'v',
          descriptorKey: 'k',
          queryParameters: [{ name: 'a', presentMatch: true }],
        },
      },
      { kind: 'queryParameterValueMatch', descriptorKey: 'k', descriptorValue: 'v', expectMatch: true },
    ],
    [
      'metadata of the route',
      { metadata: { descriptorKey: 'k', metadataKey, source: 'ROUTE_ENTRY', defaultValue: 'd' } },
      { kind: 'metadata', source: 'route', key: { filter: 'f', path: ['a', 'b'] }, defaultValue: 'd' },
    ],
    [
      'dynamic_metadata, its older spelling',
      { dynamicMetadata: { descriptorKey: 'k', metadataKey } },
      { kind: 'metadata', source: 'dynamic', skipIfAbsent: false },
    ],
  ])('%s', (_what, action, expected) => {
    const host = decodedOk(ROUTE_CONFIGURATION_TYPE, configuration({ actions: [action] })).virtualHosts[0];
    const own = host?.routes[0]?.action;
    expect(host?.rateLimits).toMatchObject([{ stage: 0, onStreamDone: false, actions: [expected] }]);
    expect(own).toMatchObject({ includeVhRateLimits: true, rateLimits: host?.rateLimits });
  });

  test('stage, override, hits and the end of the stream', () => {
    const fields = {
      stage: 10,
      disableKey: 'k',
      actions: [{ remoteAddress: {} }],
      limit: { dynamicMetadata: { metadataKey } },
      hitsAddend: { number: '7' },
      applyOnStreamDone: true,
    };
    expect(decodedOk(ROUTE_CONFIGURATION_TYPE, configuration(fields)).virtualHosts[0]?.rateLimits).toMatchObject([
      { stage: 10, limitOverride: { filter: 'f', path: ['a', 'b'] }, hitsAddend: 7, onStreamDone: true },
    ]);
  });

  const oneAction = { actions: [{ remoteAddress: {} }] };
  const cases: readonly (readonly [string, Json, string])[] = [
    ['no action', {}, 'actions'],
    ['an action that says nothing', { actions: [{}] }, 'actions[0]'],
    ['an extension', { actions: [{ extension: { name: 'x' } }] }, 'actions[0].extension'],
    ['a stage of 11', { ...oneAction, stage: 11 }, 'stage'],
    ['hits as text', { ...oneAction, hitsAddend: { format: '%BYTES_RECEIVED%' } }, 'hits_addend.format'],
    ['hits beyond all measure', { ...oneAction, hitsAddend: { number: '1000000001' } }, 'hits_addend.number'],
    ['an override from nowhere', { ...oneAction, limit: {} }, 'limit.dynamic_metadata'],
    [
      'a mask of 33 bits',
      { actions: [{ maskedRemoteAddress: { v4PrefixMaskLen: 33 } }] },
      'actions[0].masked_remote_address.v4_prefix_mask_len',
    ],
    ['a key without a value', { actions: [{ genericKey: {} }] }, 'actions[0].generic_key.descriptor_value'],
    [
      'a match of nothing',
      { actions: [{ headerValueMatch: { descriptorValue: 'v' } }] },
      'actions[0].header_value_match.headers',
    ],
    ['metadata from nowhere', { actions: [{ metadata: { descriptorKey: 'k' } }] }, 'actions[0].metadata.metadata_key'],
  ];
  test.each(cases)('refuses %s', (_what, rateLimit, field) => {
    const fields = faultFields(decodeStaticJson(ROUTE_CONFIGURATION_TYPE, configuration(rateLimit)));
    expect(fields).toEqual([
      `virtual_hosts[0].routes[0].route.rate_limits[0].${field}`,
      `virtual_hosts[0].rate_limits[0].${field}`,
    ]);
  });
});
