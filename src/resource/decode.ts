import type { Cluster } from './cluster.ts';
import { CLUSTER_MESSAGE, decodeCluster } from './cluster-decode.ts';
import type { ClusterLoadAssignment } from './cluster-load-assignment.ts';
import { CLUSTER_LOAD_ASSIGNMENT_MESSAGE, decodeClusterLoadAssignment } from './cluster-load-assignment-decode.ts';
import { ALL_EXTENSIONS, type ExtensionSupport } from './extension-support.ts';
import { type Decoded, FaultCollector } from './fault.ts';
import type { Listener } from './listener.ts';
import { decodeListener, LISTENER_MESSAGE } from './listener-decode.ts';
import { MessageReader } from './message-reader.ts';
import { messageType, messageTypeOfUrl } from './protos.ts';
import type { RouteConfiguration } from './route-configuration.ts';
import { decodeRouteConfiguration, ROUTE_CONFIGURATION_MESSAGE } from './route-configuration-decode.ts';
import type { Secret } from './secret.ts';
import { decodeSecret, SECRET_MESSAGE } from './secret-decode.ts';
import { buildMessage } from './strict-builder.ts';
import {
  CLUSTER_LOAD_ASSIGNMENT_TYPE,
  CLUSTER_TYPE,
  LISTENER_TYPE,
  RESOURCE_TYPES,
  ROUTE_CONFIGURATION_TYPE,
  SECRET_TYPE,
  type TypeUrl,
} from './type-url.ts';

/** The narrow type behind each discovery type. */
export interface ResourceOfType {
  readonly [CLUSTER_TYPE]: Cluster;
  readonly [CLUSTER_LOAD_ASSIGNMENT_TYPE]: ClusterLoadAssignment;
  readonly [LISTENER_TYPE]: Listener;
  readonly [ROUTE_CONFIGURATION_TYPE]: RouteConfiguration;
  readonly [SECRET_TYPE]: Secret;
}

/** What differs from one discovery type to the next; a new type is a new row. */
interface ResourceKind<T> {
  readonly message: string;
  /** The field that names a resource. */
  readonly nameField: string;
  readonly decode: (reader: MessageReader, support: ExtensionSupport) => T;
}

const KINDS: { readonly [Url in TypeUrl]: ResourceKind<ResourceOfType[Url]> } = {
  [CLUSTER_TYPE]: { message: CLUSTER_MESSAGE, nameField: 'name', decode: decodeCluster },
  [CLUSTER_LOAD_ASSIGNMENT_TYPE]: {
    message: CLUSTER_LOAD_ASSIGNMENT_MESSAGE,
    nameField: 'cluster_name',
    decode: (reader) => decodeClusterLoadAssignment(reader),
  },
  [LISTENER_TYPE]: { message: LISTENER_MESSAGE, nameField: 'name', decode: decodeListener },
  [ROUTE_CONFIGURATION_TYPE]: {
    message: ROUTE_CONFIGURATION_MESSAGE,
    nameField: 'name',
    decode: decodeRouteConfiguration,
  },
  [SECRET_TYPE]: { message: SECRET_MESSAGE, nameField: 'name', decode: (reader) => decodeSecret(reader) },
};

/** True for the type URLs that {@link decodeResource} takes. */
export function isResourceType(typeUrl: string): typeUrl is TypeUrl {
  return RESOURCE_TYPES.some((known) => known === typeUrl);
}

/** The bytes of a resource to its narrow type, or every fault in it. Never throws on what the bytes hold. */
export function decodeResource<Url extends TypeUrl>(
  typeUrl: Url,
  bytes: Uint8Array,
  support: ExtensionSupport = ALL_EXTENSIONS,
): Decoded<ResourceOfType[Url]> {
  const kind = KINDS[typeUrl];
  const faults = new FaultCollector();
  const reader = MessageReader.over(messageType(kind.message), bytes, '', faults);
  if (reader === undefined) return { ok: false, faults: faults.list() };
  if (reader.string(kind.nameField) === '') reader.fault(kind.nameField, 'must not be empty');
  return faults.decoded(kind.decode(reader, support));
}

/** A static resource in ProtoJSON, as a bootstrap holds it, to its narrow type. */
export function decodeStaticJson<Url extends TypeUrl>(
  typeUrl: Url,
  json: unknown,
  support: ExtensionSupport = ALL_EXTENSIONS,
): Decoded<ResourceOfType[Url]> {
  const built = buildMessage(KINDS[typeUrl].message, json, { acceptSingleForList: true });
  return built.ok ? decodeResource(typeUrl, built.value, support) : built;
}

/** The name of a resource of any type, even of one that will be refused; undefined where the bytes do not say. */
export function resourceName(typeUrl: string, bytes: Uint8Array): string | undefined {
  const type = messageTypeOfUrl(typeUrl);
  if (type === undefined) return undefined;
  const reader = MessageReader.over(type, bytes, '', new FaultCollector());
  const nameField = isResourceType(typeUrl) ? KINDS[typeUrl].nameField : 'name';
  const name = type.fields[nameField]?.type === 'string' ? reader?.string(nameField) : undefined;
  return name === '' ? undefined : name;
}

/** Two encoded resources are the same resource where their bytes are: a control plane that encodes stably makes it so. */
export function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left === right || Buffer.compare(left, right) === 0;
}
