import { describe, expect, test } from 'vitest';
import { readGrpcLimits } from './grpc-limits.ts';
import {
  decodedOk,
  type Json,
  listener,
  refused,
  route,
  routeConfiguration,
  virtualHost,
} from './testing/valid-resources.ts';
import { LISTENER_TYPE, ROUTE_CONFIGURATION_TYPE } from './type-url.ts';

const saying = (limits: Json): Json => ({ metadata: { filterMetadata: { 'weft.grpc_limits': limits } } });
const withLimits = (limits: Json): Json => listener(saying(limits));
const onRoute = (limits: Json): Json =>
  routeConfiguration({ virtualHosts: [virtualHost({ routes: [route(saying(limits))] })] });

test("a listener's metadata bounds the messages of calls", () => {
  const { metadata } = decodedOk(LISTENER_TYPE, withLimits({ max_request_message_bytes: 4_194_304 }));
  expect(readGrpcLimits(metadata)).toEqual({ values: { maxRequestMessageBytes: 4_194_304 }, problems: [] });
  expect(readGrpcLimits({ consul: { max_request_message_bytes: 'x' } })).toEqual({ values: {}, problems: [] });
});

describe('limits are refused by name', () => {
  const at = 'metadata.filter_metadata[weft.grpc_limits]';
  refused(LISTENER_TYPE, [
    ['a key nobody knows', withLimits({ max_message_bytes: 2 }), `${at}.max_message_bytes`],
    ['a value out of range', withLimits({ max_request_message_bytes: 0 }), `${at}.max_request_message_bytes`],
    [
      'a value that no length can reach',
      withLimits({ max_response_message_bytes: 2 ** 32 }),
      `${at}.max_response_message_bytes`,
    ],
  ]);
  refused(ROUTE_CONFIGURATION_TYPE, [
    [
      'the same on a route',
      onRoute({ max_request_message_bytes: 1.5 }),
      `virtual_hosts[0].routes[0].${at}.max_request_message_bytes`,
    ],
  ]);
});
