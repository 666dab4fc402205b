import type { MethodDefinition } from '@grpc/grpc-js';
import {
  AGGREGATED_DISCOVERY_SERVICE,
  CLUSTER_DISCOVERY_SERVICE,
  ENDPOINT_DISCOVERY_SERVICE,
  grpcService,
  LISTENER_DISCOVERY_SERVICE,
  ROUTE_DISCOVERY_SERVICE,
  SECRET_DISCOVERY_SERVICE,
} from '../resource/grpc-service.ts';
import {
  CLUSTER_LOAD_ASSIGNMENT_TYPE,
  CLUSTER_TYPE,
  LISTENER_TYPE,
  ROUTE_CONFIGURATION_TYPE,
  SECRET_TYPE,
} from '../resource/type-url.ts';

/** A streaming discovery method whose messages stay bytes: this room encodes and decodes them itself. */
export type BytesMethod = MethodDefinition<Buffer, Buffer>;

/** One streaming method of a discovery service. */
export interface DiscoveryMethod {
  readonly definition: BytesMethod;
  readonly variant: 'sotw' | 'delta';
  /** The only type the service serves; undefined for ADS. */
  readonly onlyType: string | undefined;
}

const SERVICES: readonly (readonly [service: string, onlyType: string | undefined])[] = [
  [AGGREGATED_DISCOVERY_SERVICE, undefined],
  [CLUSTER_DISCOVERY_SERVICE, CLUSTER_TYPE],
  [ENDPOINT_DISCOVERY_SERVICE, CLUSTER_LOAD_ASSIGNMENT_TYPE],
  [LISTENER_DISCOVERY_SERVICE, LISTENER_TYPE],
  [ROUTE_DISCOVERY_SERVICE, ROUTE_CONFIGURATION_TYPE],
  [SECRET_DISCOVERY_SERVICE, SECRET_TYPE],
];

/** The streaming methods of ADS and of the services of one type. Their unary Fetch methods are for REST polling and are not served. */
export function discoveryMethods(): readonly DiscoveryMethod[] {
  const methods: DiscoveryMethod[] = [];
  for (const [service, onlyType] of SERVICES) {
    for (const { path, requestStream, responseStream } of Object.values(grpcService(service))) {
      if (!requestStream || !responseStream) continue;
      const variant = path.slice(path.lastIndexOf('/') + 1).startsWith('Delta') ? 'delta' : 'sotw';
      methods.push({ definition: bytesMethod(path), variant, onlyType });
    }
  }
  return methods;
}

/** The aggregated method of one variant, for a client. */
export function aggregatedMethod(variant: 'sotw' | 'delta'): BytesMethod {
  const name = variant === 'delta' ? 'DeltaAggregatedResources' : 'StreamAggregatedResources';
  return bytesMethod(`/${AGGREGATED_DISCOVERY_SERVICE}/${name}`);
}

function bytesMethod(path: string): BytesMethod {
  const asIs = (bytes: Buffer): Buffer => bytes;
  return {
    path,
    requestStream: true,
    responseStream: true,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  };
}
