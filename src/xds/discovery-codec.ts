import type { Node } from '../resource/bootstrap.ts';
import {
  decodeToObject,
  encodeFromObject,
  type MessageType,
  messageType,
  type WireMessage,
} from '../resource/protos.ts';
import { isPlainObject, jsonFromStruct, structFromJson } from '../resource/struct-json.ts';
import type { DeltaRequest, RequestNode, SotwRequest } from './discovery-requests.ts';
import { RESOURCE_WRAPPER_TYPE } from './discovery-responses.ts';
import { plainDeltaAnswer } from './plain-answer.ts';

/** Discovery messages between their bytes and the narrow types of this room. Decoders throw on bytes that are no such message. */

const PACKAGE = 'envoy.service.discovery.v3';

/** What is said of us in every request's node. */
export interface ClientIdentity {
  readonly node: Node;
  readonly userAgentName: string;
  readonly userAgentVersion: string;
}

/** A DiscoveryResponse or DeltaDiscoveryResponse with its resources still encoded. */
export interface DiscoveryResponse {
  readonly typeUrl: string;
  readonly version: string;
  readonly nonce: string;
  readonly resources: readonly ReceivedAny[];
  /** Delta only. */
  readonly removedNames: readonly string[];
}

/** One Any of a response, with what the wrapper around it says. */
export interface ReceivedAny {
  /** Undefined in SotW without a wrapper: the name is inside the message. */
  readonly name: string | undefined;
  /** The resource's own version in delta, else the response's. */
  readonly version: string;
  readonly typeUrl: string;
  /** It is gone when this long nothing was heard of it; undefined is for ever. Below 0 is the server's mistake. */
  readonly ttlMs?: number;
  /** A view into the response: copy what must outlive it. */
  readonly message: Buffer;
}

export function decodeSotwRequest(bytes: Uint8Array): SotwRequest {
  const request = decodeToObject(messageType(`${PACKAGE}.DiscoveryRequest`), bytes);
  return {
    typeUrl: text(request['type_url']),
    node: requestNode(request['node']),
    versionInfo: text(request['version_info']),
    resourceNames: texts(request['resource_names']),
    responseNonce: text(request['response_nonce']),
    errorDetail: errorDetail(request['error_detail']),
  };
}

export function decodeDeltaRequest(bytes: Buffer): DeltaRequest {
  return plainDeltaAnswer(bytes) ?? decodeAnyDeltaRequest(bytes);
}

function decodeAnyDeltaRequest(bytes: Uint8Array): DeltaRequest {
  const request = decodeToObject(messageType(`${PACKAGE}.DeltaDiscoveryRequest`), bytes);
  const held = request['initial_resource_versions'];
  return {
    typeUrl: text(request['type_url']),
    node: requestNode(request['node']),
    subscribe: texts(request['resource_names_subscribe']),
    unsubscribe: texts(request['resource_names_unsubscribe']),
    initialResourceVersions: new Map(
      isPlainObject(held) ? Object.entries(held).map(([name, version]): [string, string] => [name, text(version)]) : [],
    ),
    responseNonce: text(request['response_nonce']),
    errorDetail: errorDetail(request['error_detail']),
  };
}

/** The request of a client; `node` goes only into the first one of a stream. */
export function encodeSotwRequest(request: Omit<SotwRequest, 'node'>, identity: ClientIdentity | undefined): Buffer {
  return encode(messageType(`${PACKAGE}.DiscoveryRequest`), {
    ...nodeField(identity),
    type_url: request.typeUrl,
    version_info: request.versionInfo,
    resource_names: request.resourceNames,
    response_nonce: request.responseNonce,
    ...errorField(request.errorDetail),
  });
}

export function encodeDeltaRequest(request: Omit<DeltaRequest, 'node'>, identity: ClientIdentity | undefined): Buffer {
  return encode(messageType(`${PACKAGE}.DeltaDiscoveryRequest`), {
    ...nodeField(identity),
    type_url: request.typeUrl,
    resource_names_subscribe: request.subscribe,
    resource_names_unsubscribe: request.unsubscribe,
    initial_resource_versions: Object.fromEntries(request.initialResourceVersions),
    response_nonce: request.responseNonce,
    ...errorField(request.errorDetail),
  });
}

export function decodeSotwResponse(bytes: Uint8Array): DiscoveryResponse {
  const response = messageType(`${PACKAGE}.DiscoveryResponse`).decode(bytes);
  const version = text(field(response, 'version_info'));
  return {
    typeUrl: text(field(response, 'type_url')),
    version,
    nonce: text(field(response, 'nonce')),
    resources: list(field(response, 'resources')).map((any) => receivedAny(any, version)),
    removedNames: [],
  };
}

export function decodeDeltaResponse(bytes: Uint8Array): DiscoveryResponse {
  const response = messageType(`${PACKAGE}.DeltaDiscoveryResponse`).decode(bytes);
  return {
    typeUrl: text(field(response, 'type_url')),
    version: text(field(response, 'system_version_info')),
    nonce: text(field(response, 'nonce')),
    resources: list(field(response, 'resources')).map(receivedResource),
    removedNames: texts(field(response, 'removed_resources')),
  };
}

function receivedAny(any: unknown, version: string): ReceivedAny {
  const typeUrl = text(field(any, 'type_url'));
  const message = bytesOf(field(any, 'value'));
  if (typeUrl !== RESOURCE_WRAPPER_TYPE) return { name: undefined, version, typeUrl, message };
  const unwrapped = receivedResource(messageType(`${PACKAGE}.Resource`).decode(message));
  return unwrapped.name === '' ? { ...unwrapped, name: undefined } : unwrapped;
}

function receivedResource(resource: unknown): ReceivedAny {
  const any = field(resource, 'resource');
  const ttlMs = durationMs(field(resource, 'ttl'));
  return {
    name: text(field(resource, 'name')),
    version: text(field(resource, 'version')),
    typeUrl: text(field(any, 'type_url')),
    message: bytesOf(field(any, 'value')),
    ...(ttlMs === undefined ? {} : { ttlMs }),
  };
}

/** Seconds are 64 bits, which come as an object that prints them. */
function durationMs(duration: unknown): number | undefined {
  if (duration === undefined || duration === null) return undefined;
  return Number(field(duration, 'seconds') ?? 0) * 1_000 + Number(field(duration, 'nanos') ?? 0) / 1e6;
}

function requestNode(node: unknown): RequestNode | undefined {
  if (!isPlainObject(node)) return undefined;
  const locality = node['locality'];
  const metadata = node['metadata'];
  return {
    id: text(node['id']),
    cluster: text(node['cluster']),
    locality: {
      region: text(field(locality, 'region')),
      zone: text(field(locality, 'zone')),
      subZone: text(field(locality, 'sub_zone')),
    },
    metadata: isPlainObject(metadata) ? jsonFromStruct(metadata) : {},
    userAgentName: text(node['user_agent_name']),
    userAgentVersion: text(node['user_agent_version']),
    clientFeatures: texts(node['client_features']),
  };
}

function nodeField(identity: ClientIdentity | undefined): WireMessage {
  if (identity === undefined) return {};
  const { node, userAgentName, userAgentVersion } = identity;
  const metadata = structFromJson(node.metadata);
  return {
    node: {
      id: node.id,
      cluster: node.cluster,
      locality: { region: node.locality.region, zone: node.locality.zone, sub_zone: node.locality.subZone },
      ...(metadata === undefined ? {} : { metadata }),
      user_agent_name: userAgentName,
      user_agent_version: userAgentVersion,
      client_features: ['xds.config.resource-in-sotw', 'xds.config.supports-resource-ttl'],
    },
  };
}

function errorField(detail: string | undefined): WireMessage {
  // 3 is google.rpc.Code.INVALID_ARGUMENT.
  return detail === undefined ? {} : { error_detail: { code: 3, message: detail } };
}

function errorDetail(status: unknown): string | undefined {
  return isPlainObject(status) ? text(status['message']) : undefined;
}

function encode(type: MessageType, message: WireMessage): Buffer {
  const bytes = encodeFromObject(type, message);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function field(message: unknown, name: string): unknown {
  return typeof message === 'object' && message !== null ? Reflect.get(message, name) : undefined;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function texts(value: unknown): readonly string[] {
  return list(value).filter((item) => typeof item === 'string');
}

function bytesOf(value: unknown): Buffer {
  if (!(value instanceof Uint8Array)) return Buffer.alloc(0);
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}
