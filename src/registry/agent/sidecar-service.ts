/** `Connect.SidecarService`: the short form that a service registers its proxy with, filled with Consul's defaults. */
import { ApiError } from '../api-error.ts';
import { type CheckDefinition, readCheckDefinition } from '../input/check-definition.ts';
import { numberField, stringList, stringMap, textField } from '../input/fields.ts';
import {
  type SidecarDefinition,
  serviceFrom,
  validateService,
  withAddressFamilies,
} from '../input/service-definition.ts';
import { isJsonObject, type JsonObject } from '../input/shape.ts';
import type { NewService, ServiceRow } from '../state/catalog-rows.ts';

export const SIDECAR_SUFFIX = '-sidecar-proxy';
export const SIDECAR_MIN_PORT = 21_000;
export const SIDECAR_MAX_PORT = 21_255;

export interface SidecarRegistration {
  readonly service: NewService;
  readonly checks: readonly CheckDefinition[];
}

/** `registered` are the services this agent knows already: they decide which port of the range is free. */
export function expandSidecar(
  parent: NewService,
  definition: SidecarDefinition,
  registered: Iterable<ServiceRow>,
): SidecarRegistration {
  const { fields } = definition;
  const id = `${parent.ID}${SIDECAR_SUFFIX}`;
  const port = numberField(fields, 'Port');
  const tags = stringList(fields['Tags']);
  const meta = stringMap(fields['Meta']);
  const service = withAddressFamilies(
    serviceFrom({
      ...fields,
      ID: id,
      Kind: textField(fields, 'Kind') || 'connect-proxy',
      Name: textField(fields, 'Name') || `${parent.Service}${SIDECAR_SUFFIX}`,
      Address: textField(fields, 'Address') || parent.Address,
      Tags: tags.length > 0 ? tags : parent.Tags,
      Meta: Object.keys(meta).length > 0 ? meta : parent.Meta,
      Port: port > 0 ? port : freePort(id, registered),
      Proxy: proxyWithDefaults(fields['Proxy'], parent),
    }),
  );
  validateService(service, 'Failed Validation');
  const checks = definition.checks.length > 0 ? definition.checks : defaultChecks(service, parent);
  return { service, checks };
}

function proxyWithDefaults(value: unknown, parent: NewService): JsonObject {
  const proxy: JsonObject = isJsonObject(value) ? { ...value } : {};
  if (textField(proxy, 'DestinationServiceName') === '') proxy['DestinationServiceName'] = parent.Service;
  if (textField(proxy, 'DestinationServiceID') === '') proxy['DestinationServiceID'] = parent.ID;
  if (textField(proxy, 'LocalServiceSocketPath') !== '') return proxy;
  const hasAddress = textField(proxy, 'LocalServiceAddress') !== '';
  const hasPort = numberField(proxy, 'LocalServicePort') > 0;
  if (hasAddress && hasPort) return proxy;
  if (parent.SocketPath !== undefined) {
    proxy['LocalServiceSocketPath'] = parent.SocketPath;
    return proxy;
  }
  if (!hasAddress) proxy['LocalServiceAddress'] = '127.0.0.1';
  if (!hasPort) proxy['LocalServicePort'] = parent.Port;
  return proxy;
}

/** The lowest free one; a sidecar that registers again keeps the one it has. */
function freePort(id: string, registered: Iterable<ServiceRow>): number {
  const used = new Set<number>();
  for (const service of registered) {
    const inRange = service.Port >= SIDECAR_MIN_PORT && service.Port <= SIDECAR_MAX_PORT;
    if (inRange && service.ID === id) return service.Port;
    used.add(service.Port);
  }
  for (let port = SIDECAR_MIN_PORT; port <= SIDECAR_MAX_PORT; port += 1) if (!used.has(port)) return port;
  throw new ApiError(
    500,
    `no port provided for sidecar_service and none left in the configured range [${SIDECAR_MIN_PORT}, ${SIDECAR_MAX_PORT}]`,
  );
}

function defaultChecks(sidecar: NewService, parent: NewService): CheckDefinition[] {
  const address = sidecar.Address === '' ? (sidecar.Proxy.LocalServiceAddress ?? '127.0.0.1') : sidecar.Address;
  const target = address.includes(':') ? `[${address}]:${sidecar.Port}` : `${address}:${sidecar.Port}`;
  const prefix = 'Invalid check in sidecar_service';
  const listening = { Name: 'Connect Sidecar Listening', TCP: target, Interval: '10s' };
  const aliasing = { Name: `Connect Sidecar Aliasing ${parent.ID}`, AliasService: parent.ID };
  return [readCheckDefinition(listening, prefix), readCheckDefinition(aliasing, prefix)];
}
