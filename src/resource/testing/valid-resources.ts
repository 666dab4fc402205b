import { expect, test } from 'vitest';
import { type Decoded, decodeStaticJson, type ResourceOfType } from '../resource.ts';
import type { TypeUrl } from '../type-url.ts';

/** Small valid resources in ProtoJSON for tests to bend, and the words to look at what came of it. */

export type Json = Readonly<Record<string, unknown>>;

export function typed(fullName: string, fields: Json = {}): Json {
  return { '@type': `type.googleapis.com/${fullName}`, ...fields };
}

export const ROUTER: Json = {
  name: 'envoy.filters.http.router',
  typedConfig: typed('envoy.extensions.filters.http.router.v3.Router'),
};

export function connectionManager(fields: Json = {}): Json {
  const rds = { routeConfigName: 'public', configSource: { ads: {}, resourceApiVersion: 'V3' } };
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typedConfig: typed('envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager', {
      statPrefix: 'public',
      httpFilters: [ROUTER],
      ...('routeConfig' in fields ? {} : { rds }),
      ...fields,
    }),
  };
}

export function tcpProxy(fields: Json = {}): Json {
  return {
    name: 'envoy.filters.network.tcp_proxy',
    typedConfig: typed('envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy', {
      statPrefix: 'tcp',
      ...('weightedClusters' in fields ? {} : { cluster: 'local_app' }),
      ...fields,
    }),
  };
}

export function socketAddress(address: string, portValue: number): Json {
  return { socketAddress: { address, portValue } };
}

export function listener(fields: Json = {}): Json {
  return {
    name: 'public_listener:127.0.0.1:21000',
    address: socketAddress('127.0.0.1', 21000),
    filterChains: [{ filters: [connectionManager()] }],
    ...fields,
  };
}

export function cluster(fields: Json = {}): Json {
  return { name: 'web', type: 'EDS', edsClusterConfig: { edsConfig: { ads: {} } }, ...fields };
}

export function endpoint(address = '10.0.0.1', fields: Json = {}): Json {
  return { endpoint: { address: socketAddress(address, 80) }, ...fields };
}

export function assignment(fields: Json = {}): Json {
  return { clusterName: 'web', endpoints: [{ locality: {}, lbEndpoints: [endpoint()] }], ...fields };
}

export function route(fields: Json = {}): Json {
  const action = ['redirect', 'directResponse', 'route'].some((name) => name in fields);
  return { match: { prefix: '/' }, ...(action ? {} : { route: { cluster: 'web' } }), ...fields };
}

export function virtualHost(fields: Json = {}): Json {
  return { name: 'all', domains: ['*'], routes: [route()], ...fields };
}

export function routeConfiguration(fields: Json = {}): Json {
  return { name: 'public', virtualHosts: [virtualHost()], ...fields };
}

/** The narrow type of a resource that must be valid. */
export function decodedOk<Url extends TypeUrl>(typeUrl: Url, json: unknown): ResourceOfType[Url] {
  const decoded = decodeStaticJson(typeUrl, json);
  if (!decoded.ok) throw new Error(JSON.stringify(decoded.faults));
  return decoded.value;
}

/** The fields that were faulted, in order; empty for a valid resource. */
export function faultFields(decoded: Decoded<unknown>): readonly string[] {
  return decoded.ok ? [] : decoded.faults.map((fault) => fault.field);
}

/** A resource that must be refused: what is wrong with it, and the one field that the refusal must name. */
export type RefusedCase = readonly [what: string, json: Json, field: string];

/** One test for each case. */
export function refused(typeUrl: TypeUrl, cases: readonly RefusedCase[]): void {
  test.each(cases)('%s', (_what, json, field) => {
    expect(faultFields(decodeStaticJson(typeUrl, json))).toEqual([field]);
  });
}
