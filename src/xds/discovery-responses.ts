import type { EncodedResource } from './encoded-resource.ts';
import { encodeFields, varintField, type WireField } from './wire.ts';

/** SotW responses may wrap each resource in this, when a client says that it understands. */
export const RESOURCE_WRAPPER_TYPE = 'type.googleapis.com/envoy.service.discovery.v3.Resource';

/** Why a resource that was asked for by name is not there. */
export interface ResourceError {
  readonly name: string;
  /** A code of google.rpc. */
  readonly code: number;
  readonly message: string;
}

/** What one DiscoveryResponse or DeltaDiscoveryResponse says. */
export interface ResponseParts {
  readonly typeUrl: string;
  /** version_info, or system_version_info in delta. */
  readonly version: string;
  readonly nonce: string;
  readonly resources: readonly EncodedResource[];
  /** Delta only. */
  readonly removedNames: readonly string[];
  /** Names that were asked for and cannot be had. Clients that do not know the field pass over it. */
  readonly errors?: readonly ResourceError[];
  /** An encoded ControlPlane: its identifier is for people who look at a proxy's config dump. */
  readonly controlPlane: Buffer;
  /** SotW only: the client takes resources inside a Resource, which is where a time to live is. */
  readonly canUnwrap?: boolean;
}

export function controlPlaneMessage(identifier: string): Buffer {
  return encodeFields([{ field: 1, value: identifier }]);
}

/** DiscoveryResponse: the resources are already encoded Anys and are copied as they are. */
export function encodeSotwResponse(parts: ResponseParts): Buffer {
  const fields: WireField[] = [{ field: 1, value: parts.version }];
  for (const resource of parts.resources) {
    const needsWrapper = resource.ttlMs !== undefined && parts.canUnwrap === true;
    fields.push({ field: 2, value: needsWrapper ? wrapperAny(resource) : resource.any });
  }
  fields.push(
    { field: 4, value: parts.typeUrl },
    { field: 5, value: parts.nonce },
    { field: 6, value: parts.controlPlane },
    ...errorFields(7, parts.errors),
  );
  return encodeFields(fields);
}

function wrapperAny({ wrapped }: EncodedResource): Buffer {
  return encodeFields([
    { field: 1, value: RESOURCE_WRAPPER_TYPE },
    { field: 2, value: wrapped },
  ]);
}

/** DeltaDiscoveryResponse: each Any inside a Resource that names it and its version, copied as they are. */
export function encodeDeltaResponse(parts: ResponseParts): Buffer {
  const { resources, removedNames, errors } = parts;
  const fields: WireField[] = [{ field: 1, value: parts.version }];
  for (const { wrapped } of resources) fields.push({ field: 2, value: wrapped });
  fields.push({ field: 4, value: parts.typeUrl });
  fields.push({ field: 5, value: parts.nonce });
  for (const name of removedNames) fields.push({ field: 6, value: name });
  fields.push({ field: 7, value: parts.controlPlane });
  if (errors !== undefined && errors.length > 0) fields.push(...errorFields(9, errors));
  return encodeFields(fields);
}

/** `resource_errors`: ResourceError { ResourceName resource_name = 1; google.rpc.Status error_detail = 2; } */
function errorFields(field: number, errors: readonly ResourceError[] | undefined): readonly WireField[] {
  return (errors ?? []).map(({ name, code, message }) => ({
    field,
    value: encodeFields([
      { field: 1, value: encodeFields([{ field: 1, value: name }]) },
      { field: 2, value: Buffer.concat([varintField(1, code), encodeFields([{ field: 2, value: message }])]) },
    ]),
  }));
}
