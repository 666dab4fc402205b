/** From the JSON of a registration to a checked definition. Whatever is wrong is refused whole, with Consul's words where known. */
import { isIP } from 'node:net';
import { ApiError, multiErrorText } from '../api-error.ts';
import type { AddressPort, NewService, ProxyRow, StringMap, UpstreamRow, Weights } from '../state/catalog-rows.ts';
import { type CheckDefinition, readCheckDefinition } from './check-definition.ts';
import { numberField, stringList, stringMap, textField } from './fields.ts';
import { SERVICE_SHAPE } from './service-shape.ts';
import { canonical, isJsonObject, type JsonObject, type ShapeFaults } from './shape.ts';

export interface ServiceDefinition {
  readonly service: NewService;
  readonly checks: readonly CheckDefinition[];
  /** `Connect.SidecarService`, still to be filled with defaults. */
  readonly sidecar: SidecarDefinition | undefined;
}

export interface SidecarDefinition {
  readonly fields: JsonObject;
  readonly checks: readonly CheckDefinition[];
}

const MAX_META_PAIRS = 64;
const MAX_META_KEY_CHARS = 128;
const MAX_META_VALUE_CHARS = 512;

export function readServiceDefinition(document: unknown): ServiceDefinition {
  const fields = readDocument(document);
  if (textField(fields, 'Name') === '') throw new ApiError(400, 'Missing service name');
  const service = withAddressFamilies(serviceFrom(fields));
  validateService(service, 'Validation failed');
  return { service, checks: checksOf(fields, 'Invalid check'), sidecar: sidecarOf(fields) };
}

/** The row for a canonical set of fields; also what a filled-in sidecar goes through. */
export function serviceFrom(fields: JsonObject): NewService {
  const name = textField(fields, 'Name');
  const id = textField(fields, 'ID');
  const kind = textField(fields, 'Kind');
  const taggedAddresses = taggedAddressesOf(fields);
  const socketPath = textField(fields, 'SocketPath');
  const connect = fields['Connect'];
  const locality = fields['Locality'];
  return {
    ...(kind === '' ? {} : { Kind: kind }),
    ID: id === '' ? name : id,
    Service: name,
    Tags: stringList(fields['Tags']),
    Address: textField(fields, 'Address'),
    ...(taggedAddresses === undefined ? {} : { TaggedAddresses: taggedAddresses }),
    Meta: stringMap(fields['Meta']),
    Port: numberField(fields, 'Port'),
    ...(socketPath === '' ? {} : { SocketPath: socketPath }),
    Weights: weightsOf(fields['Weights']),
    EnableTagOverride: fields['EnableTagOverride'] === true,
    Proxy: proxyOf(fields['Proxy']),
    Connect: isJsonObject(connect) && connect['Native'] === true ? { Native: true } : {},
    ...(isJsonObject(locality) ? { Locality: locality } : {}),
  };
}

/** As agents do: a service's own address stands among its tagged ones by its family, where nobody wrote another. */
export function withAddressFamilies(service: NewService): NewService {
  const family = isIP(service.Address);
  if (family === 0) return service;
  const own = { Address: service.Address, Port: service.Port };
  const TaggedAddresses = { [`lan_ipv${family}`]: own, [`wan_ipv${family}`]: own, ...service.TaggedAddresses };
  return { ...service, TaggedAddresses };
}

export function validateService(service: NewService, prefix: string): void {
  if (service.Address === '0.0.0.0' || service.Address === '::') throw new ApiError(400, 'Invalid service address');
  if (service.Weights.Passing < 1) throw new ApiError(400, 'Invalid Weights: Passing must be greater than 0');
  if (service.Weights.Warning < 0) throw new ApiError(400, 'Invalid Weights: Warning must be greater or equal than 0');
  if (service.Weights.Passing > 65535 || service.Weights.Warning > 65535) {
    throw new ApiError(400, 'Invalid Weights: DNS Weight must be between 0 and 65535');
  }
  validateMeta(service.Meta);
  const faults = service.Kind === 'connect-proxy' ? proxyFaults(service) : nativeFaults(service);
  if (faults.length > 0) throw new ApiError(400, `${prefix}: ${multiErrorText(faults)}`);
}

function nativeFaults(service: NewService): string[] {
  const hasPlace = service.Port !== 0 || service.SocketPath !== undefined;
  return service.Connect.Native !== true || hasPlace
    ? []
    : ['Port or SocketPath must be set for a Connect native service.'];
}

function proxyFaults(service: NewService): string[] {
  const faults: string[] = [];
  if ((service.Proxy.DestinationServiceName ?? '') === '') {
    faults.push('Proxy.DestinationServiceName must be non-empty for Connect proxy services');
  }
  if (service.Proxy.DestinationServiceName === '*') {
    faults.push('Proxy.DestinationServiceName must not be a wildcard for Connect proxy services');
  }
  if (service.Port === 0 && service.SocketPath === undefined) {
    faults.push('Port or SocketPath must be set for a connect-proxy');
  }
  if (service.Connect.Native === true) faults.push('A Proxy cannot also be Connect Native, only typical services');
  const bound = new Set<string>();
  for (const upstream of service.Proxy.Upstreams ?? []) faults.push(...upstreamFaults(upstream, bound));
  return faults;
}

function upstreamFaults(upstream: UpstreamRow, bound: Set<string>): string[] {
  const faults: string[] = [];
  const name = upstream.DestinationName;
  if (name === '') faults.push('upstream destination name cannot be empty');
  if (upstream.DestinationType !== 'service' && upstream.DestinationType !== 'prepared_query') {
    faults.push(`unknown upstream destination type: ${JSON.stringify(upstream.DestinationType)}`);
  }
  const port = upstream.LocalBindPort ?? 0;
  const socketPath = upstream['LocalBindSocketPath'];
  if (port === 0 && typeof socketPath !== 'string') {
    faults.push('upstream local bind port or local socket path must be defined and nonzero');
  }
  if (port < 0 || port > 65535) faults.push(`upstream local bind port ${port} must be between 1 and 65535`);
  const place = port === 0 ? String(socketPath) : `${upstream.LocalBindAddress ?? '127.0.0.1'}:${port}`;
  if (bound.has(place)) {
    faults.push(
      `upstreams cannot contain duplicates by local bind address and port or unix path; ${JSON.stringify(place)} is specified twice`,
    );
  }
  bound.add(place);
  return faults;
}

function validateMeta(meta: StringMap): void {
  const pairs = Object.entries(meta);
  if (pairs.length > MAX_META_PAIRS) {
    throw new ApiError(
      400,
      `Invalid Service Meta: Node metadata cannot contain more than ${MAX_META_PAIRS} key/value pairs`,
    );
  }
  for (const [key, value] of pairs) {
    if (!/^[A-Za-z0-9_-]+$/.test(key) || key.length > MAX_META_KEY_CHARS) {
      throw new ApiError(
        400,
        `Invalid Service Meta: Couldn't load metadata pair ('${key}', '${value}'): Key contains invalid characters`,
      );
    }
    if (key.startsWith('consul-')) {
      throw new ApiError(
        400,
        `Invalid Service Meta: Couldn't load metadata pair ('${key}', '${value}'): Key prefix 'consul-' is reserved for internal use`,
      );
    }
    if (value.length > MAX_META_VALUE_CHARS) {
      throw new ApiError(
        400,
        `Invalid Service Meta: Couldn't load metadata pair ('${key}', …): Value is too long (limit: ${MAX_META_VALUE_CHARS} characters)`,
      );
    }
  }
}

/** Go's decoder stops at the first; ours says them all. */
export function refuseFaults(faults: ShapeFaults): void {
  const unknown = faults.unknown.map(
    (key) => `json: unknown field ${JSON.stringify(key.slice(key.lastIndexOf('.') + 1))}`,
  );
  const all = [...unknown, ...faults.wrong];
  if (all.length > 0) throw new ApiError(400, `Request decode failed: ${all.join('; ')}`);
}

function readDocument(document: unknown): JsonObject {
  const faults: ShapeFaults = { wrong: [], unknown: [] };
  const fields = canonical(document, SERVICE_SHAPE, '', faults);
  refuseFaults(faults);
  return isJsonObject(fields) ? fields : {};
}

function checksOf(fields: JsonObject, prefix: string): CheckDefinition[] {
  const single = fields['Check'];
  const many = fields['Checks'];
  // An empty one counts as none only where there can be but one.
  const hasSingle = isJsonObject(single) && Object.keys(single).length > 0;
  const all = [...(hasSingle ? [single] : []), ...(Array.isArray(many) ? many.filter(isJsonObject) : [])];
  return all.map((check) => readCheckDefinition(check, prefix));
}

function sidecarOf(fields: JsonObject): SidecarDefinition | undefined {
  const connect = fields['Connect'];
  if (!isJsonObject(connect)) return undefined;
  const sidecar = connect['SidecarService'];
  if (!isJsonObject(sidecar)) return undefined;
  if (textField(sidecar, 'ID') !== '') {
    throw new ApiError(
      400,
      `Validation failed: ${multiErrorText(['A SidecarService cannot specify an ID as this is managed by the agent'])}`,
    );
  }
  const nested = sidecar['Connect'];
  if (isJsonObject(nested) && nested['SidecarService'] !== undefined) {
    throw new ApiError(
      400,
      `Validation failed: ${multiErrorText(['A SidecarService cannot have a nested SidecarService'])}`,
    );
  }
  return { fields: sidecar, checks: checksOf(sidecar, 'Invalid check in sidecar_service') };
}

function proxyOf(value: unknown): ProxyRow {
  if (!isJsonObject(value)) return { Mode: '', MeshGateway: {}, Expose: {} };
  const upstreams = value['Upstreams'];
  return {
    ...value,
    ...(Array.isArray(upstreams) ? { Upstreams: upstreams.filter(isJsonObject).map(upstreamOf) } : {}),
    Mode: textField(value, 'Mode'),
    MeshGateway: value['MeshGateway'] ?? {},
    Expose: value['Expose'] ?? {},
  };
}

function upstreamOf(value: JsonObject): UpstreamRow {
  const type = textField(value, 'DestinationType');
  return {
    ...value,
    DestinationType: type === '' ? 'service' : type,
    DestinationName: textField(value, 'DestinationName'),
    MeshGateway: value['MeshGateway'] ?? {},
  };
}

function weightsOf(value: unknown): Weights {
  if (!isJsonObject(value)) return { Passing: 1, Warning: 1 };
  return { Passing: numberField(value, 'Passing'), Warning: numberField(value, 'Warning') };
}

function taggedAddressesOf(fields: JsonObject): Record<string, AddressPort> | undefined {
  const value = fields['TaggedAddresses'];
  if (!isJsonObject(value) || Object.keys(value).length === 0) return undefined;
  const result: Record<string, AddressPort> = {};
  for (const [tag, address] of Object.entries(value)) {
    if (isJsonObject(address))
      result[tag] = { Address: textField(address, 'Address'), Port: numberField(address, 'Port') };
  }
  return result;
}
