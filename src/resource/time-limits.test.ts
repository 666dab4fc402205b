import { describe, expect, test } from 'vitest';
import type { Cluster } from './cluster.ts';
import type { HttpConnectionManager } from './http-connection-manager.ts';
import type { Listener, TcpProxy } from './listener.ts';
import { cluster, connectionManager, decodedOk, type Json, listener, tcpProxy } from './testing/valid-resources.ts';
import { CLUSTER_TYPE, LISTENER_TYPE } from './type-url.ts';

/** Every time and limit of the HTTP/1.1 and TCP paths: Envoy's name, its default, and a value that is said. */

type Limit<Resource> = readonly [name: string, said: Json, field: keyof Resource, value: number, byDefault: unknown];

const common = (fields: Json): Json => ({ commonHttpProtocolOptions: fields });

function onlyFilter(filter: Json): HttpConnectionManager | TcpProxy {
  const decoded = decodedOk(LISTENER_TYPE, listener({ filterChains: [{ filters: [filter] }] }));
  const [first] = decoded.filterChains[0]?.filters ?? [];
  if (first?.kind !== 'httpConnectionManager' && first?.kind !== 'tcpProxy') throw new Error('no terminal filter');
  return first.config;
}

describe('of a connection manager', () => {
  const limits: readonly Limit<HttpConnectionManager>[] = [
    ['request_headers_timeout', { requestHeadersTimeout: '7s' }, 'requestHeadersTimeoutMs', 7_000, 0],
    ['request_timeout', { requestTimeout: '7s' }, 'requestTimeoutMs', 7_000, 0],
    ['stream_idle_timeout', { streamIdleTimeout: '7s' }, 'streamIdleTimeoutMs', 7_000, 300_000],
    ['max_stream_duration', common({ maxStreamDuration: '7s' }), 'maxStreamDurationMs', 7_000, 0],
    ['idle_timeout', common({ idleTimeout: '7s' }), 'idleTimeoutMs', 7_000, 3_600_000],
    ['max_connection_duration', common({ maxConnectionDuration: '7s' }), 'maxConnectionDurationMs', 7_000, 0],
    ['max_requests_per_connection', common({ maxRequestsPerConnection: 7 }), 'maxRequestsPerConnection', 7, 0],
    ['max_headers_count', common({ maxHeadersCount: 7 }), 'maxHeadersCount', 7, 100],
    ['max_request_headers_kb', { maxRequestHeadersKb: 7 }, 'maxRequestHeadersBytes', 7 * 1024, 60 * 1024],
    ['drain_timeout', { drainTimeout: '7s' }, 'drainTimeoutMs', 7_000, 5_000],
    ['delayed_close_timeout', { delayedCloseTimeout: '7s' }, 'delayedCloseTimeoutMs', 7_000, 1_000],
  ];

  test.each(limits)('%s', (_name, said, field, value, byDefault) => {
    const unsaid = onlyFilter(connectionManager());
    expect(unsaid).toHaveProperty(field, byDefault);
    expect(onlyFilter(connectionManager(said))).toEqual({ ...unsaid, [field]: value });
  });

  test.each(['idleTimeout', 'maxStreamDuration', 'maxConnectionDuration'])('%s of 0 is none', (name) => {
    expect(onlyFilter(connectionManager(common({ [name]: '0s' })))).toHaveProperty(`${name}Ms`, 0);
  });
});

describe('of a TCP proxy', () => {
  const limits: readonly Limit<TcpProxy>[] = [
    ['idle_timeout', { idleTimeout: '7s' }, 'idleTimeoutMs', 7_000, 3_600_000],
    ['max_connect_attempts', { maxConnectAttempts: 7 }, 'maxConnectAttempts', 7, 1],
    [
      'max_downstream_connection_duration',
      { maxDownstreamConnectionDuration: '7s' },
      'maxDownstreamConnectionDurationMs',
      7_000,
      undefined,
    ],
  ];

  test.each(limits)('%s', (_name, said, field, value, byDefault) => {
    const unsaid = onlyFilter(tcpProxy());
    expect(unsaid).toHaveProperty(field, byDefault);
    expect(onlyFilter(tcpProxy(said))).toEqual({ ...unsaid, [field]: value });
  });
});

describe('of a listener', () => {
  const limits: readonly Limit<Listener>[] = [
    ['listener_filters_timeout', { listenerFiltersTimeout: '7s' }, 'listenerFiltersTimeoutMs', 7_000, 15_000],
    [
      'per_connection_buffer_limit_bytes',
      { perConnectionBufferLimitBytes: 7_000 },
      'perConnectionBufferLimitBytes',
      7_000,
      1_048_576,
    ],
  ];

  test.each(limits)('%s', (_name, said, field, value, byDefault) => {
    const unsaid = decodedOk(LISTENER_TYPE, listener());
    expect(unsaid).toHaveProperty(field, byDefault);
    expect(decodedOk(LISTENER_TYPE, listener(said))).toEqual({ ...unsaid, [field]: value });
  });
});

describe('of a cluster', () => {
  const limits: readonly Limit<Cluster>[] = [
    ['connect_timeout', { connectTimeout: '7s' }, 'connectTimeoutMs', 7_000, 5_000],
    ['idle_timeout', common({ idleTimeout: '7s' }), 'idleTimeoutMs', 7_000, 3_600_000],
    ['max_connection_duration', common({ maxConnectionDuration: '7s' }), 'maxConnectionDurationMs', 7_000, undefined],
    ['max_requests_per_connection', common({ maxRequestsPerConnection: 7 }), 'maxRequestsPerConnection', 7, 0],
    [
      'per_connection_buffer_limit_bytes',
      { perConnectionBufferLimitBytes: 7_000 },
      'perConnectionBufferLimitBytes',
      7_000,
      1_048_576,
    ],
  ];

  test.each(limits)('%s', (_name, said, field, value, byDefault) => {
    const unsaid = decodedOk(CLUSTER_TYPE, cluster());
    expect(unsaid).toHaveProperty(field, byDefault);
    expect(decodedOk(CLUSTER_TYPE, cluster(said))).toEqual({ ...unsaid, [field]: value });
  });

  const breakers: readonly (readonly [name: string, field: string, byDefault: unknown])[] = [
    ['maxConnections', 'maxConnections', 1024],
    ['maxPendingRequests', 'maxPendingRequests', 1024],
    ['maxRequests', 'maxRequests', 1024],
    ['maxRetries', 'maxRetries', 3],
  ];

  test.each(breakers)('thresholds: %s', (name, field, byDefault) => {
    const unsaid = decodedOk(CLUSTER_TYPE, cluster()).circuitBreakers;
    expect(unsaid).toHaveProperty(field, byDefault);
    const said = cluster({ circuitBreakers: { thresholds: [{ [name]: 7 }] } });
    expect(decodedOk(CLUSTER_TYPE, said).circuitBreakers).toEqual({ ...unsaid, [field]: 7 });
  });

  test('per_host_thresholds: max_connections', () => {
    const unsaid = decodedOk(CLUSTER_TYPE, cluster()).circuitBreakers;
    expect(unsaid.maxConnectionsPerHost).toBeUndefined();
    const said = cluster({ circuitBreakers: { perHostThresholds: [{ maxConnections: 7 }] } });
    expect(decodedOk(CLUSTER_TYPE, said).circuitBreakers).toEqual({ ...unsaid, maxConnectionsPerHost: 7 });
  });
});
