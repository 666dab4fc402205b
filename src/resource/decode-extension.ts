import { ACCESS_LOGGER_DECODERS } from './access-log-decode.ts';
import type { AccessLogger } from './access-logger.ts';
import { type Decoded, FaultCollector, failed } from './fault.ts';
import type { HttpFilterConfig, NetworkFilterConfig, RouteFilterConfig } from './filter-config.ts';
import { HTTP_FILTER_DECODERS } from './http-filter-config-decode.ts';
import { MessageReader } from './message-reader.ts';
import { NETWORK_FILTER_DECODERS } from './network-filter-decode.ts';
import { messageType, nameOfTypeUrl } from './protos.ts';
import type { TypedExtension } from './route-configuration.ts';
import { ROUTE_FILTER_DECODERS } from './route-filter-config-decode.ts';

/** Typed extensions to narrow types, for the factories that give them life. */

/** The config of an HTTP filter. */
export function decodeHttpFilterConfig(extension: TypedExtension): Decoded<HttpFilterConfig> {
  return decodeBy(HTTP_FILTER_DECODERS, extension, 'HTTP filter');
}

/** What a route or virtual host says about an HTTP filter. */
export function decodeRouteFilterConfig(extension: TypedExtension): Decoded<RouteFilterConfig> {
  return decodeBy(ROUTE_FILTER_DECODERS, extension, 'filter config of a route');
}

/** The config of a network filter that is neither connection manager nor TCP proxy. */
export function decodeNetworkFilterConfig(extension: TypedExtension): Decoded<NetworkFilterConfig> {
  return decodeBy(NETWORK_FILTER_DECODERS, extension, 'network filter');
}

/** The config of an access logger. */
export function decodeAccessLogger(extension: TypedExtension): Decoded<AccessLogger> {
  return decodeBy(ACCESS_LOGGER_DECODERS, extension, 'access logger');
}

function decodeBy<T>(
  decoders: ReadonlyMap<string, (reader: MessageReader) => T>,
  extension: TypedExtension,
  what: string,
): Decoded<T> {
  const name = nameOfTypeUrl(extension.typeUrl);
  const decode = decoders.get(name);
  if (decode === undefined) return failed('', `${what} ${extension.typeUrl} is not supported`);
  const faults = new FaultCollector();
  const reader = MessageReader.over(messageType(name), extension.value, '', faults);
  return reader === undefined ? { ok: false, faults: faults.list() } : faults.decoded(decode(reader));
}
