import protobuf from 'protobufjs';
import {
  decodeToObject,
  encodeFromObject,
  fullNameOf,
  type MessageType,
  protoRoot,
  type WireMessage,
} from './protos.ts';

/** One method in the shape gRPC libraries take. Serializers pass bytes that are already encoded through untouched. */
export interface GrpcMethod {
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly requestSerialize: (message: WireMessage | Uint8Array) => Buffer;
  readonly requestDeserialize: (bytes: Uint8Array) => WireMessage;
  readonly responseSerialize: (message: WireMessage | Uint8Array) => Buffer;
  readonly responseDeserialize: (bytes: Uint8Array) => WireMessage;
  readonly originalName: string;
}

/** A service by method name. */
export type GrpcService = Readonly<Record<string, GrpcMethod>>;

export const AGGREGATED_DISCOVERY_SERVICE = 'envoy.service.discovery.v3.AggregatedDiscoveryService';
export const LISTENER_DISCOVERY_SERVICE = 'envoy.service.listener.v3.ListenerDiscoveryService';
export const ROUTE_DISCOVERY_SERVICE = 'envoy.service.route.v3.RouteDiscoveryService';
export const CLUSTER_DISCOVERY_SERVICE = 'envoy.service.cluster.v3.ClusterDiscoveryService';
export const ENDPOINT_DISCOVERY_SERVICE = 'envoy.service.endpoint.v3.EndpointDiscoveryService';
export const SECRET_DISCOVERY_SERVICE = 'envoy.service.secret.v3.SecretDiscoveryService';
export const CLIENT_STATUS_DISCOVERY_SERVICE = 'envoy.service.status.v3.ClientStatusDiscoveryService';
export const LOAD_REPORTING_SERVICE = 'envoy.service.load_stats.v3.LoadReportingService';

/** The definition of a service of `proto/`, keyed by method name as written there. */
export function grpcService(fullName: string): GrpcService {
  const service = protoRoot().lookupService(fullName);
  return Object.fromEntries(service.methodsArray.map((method) => [method.name, grpcMethod(service, method)]));
}

function grpcMethod(service: protobuf.Service, method: protobuf.Method): GrpcMethod {
  method.resolve();
  const request = method.resolvedRequestType;
  const response = method.resolvedResponseType;
  if (request === null || response === null) throw new Error(`${method.fullName} names a message that proto/ lacks`);
  return {
    path: `/${fullNameOf(service)}/${method.name}`,
    requestStream: method.requestStream ?? false,
    responseStream: method.responseStream ?? false,
    requestSerialize: serializer(request),
    requestDeserialize: (bytes) => decodeToObject(request, bytes),
    responseSerialize: serializer(response),
    responseDeserialize: (bytes) => decodeToObject(response, bytes),
    originalName: protobuf.util.camelCase(method.name),
  };
}

function serializer(type: MessageType): (message: WireMessage | Uint8Array) => Buffer {
  return (message) => bufferOf(message instanceof Uint8Array ? message : encodeFromObject(type, message));
}

/** A Buffer over the same memory; nothing is copied. */
function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
