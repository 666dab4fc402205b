import type { MessageReader } from './message-reader.ts';
import { nameOfTypeUrl } from './protos.ts';
import type { FilterMetadata, TypedExtension } from './route-configuration.ts';
import { ROUTE_FILTER_DECODERS } from './route-filter-config-decode.ts';

const FILTER_CONFIG = 'envoy.config.route.v3.FilterConfig';

/** An Any as a typed extension, its bytes copied; undefined where absent. Nothing inside is looked at. */
export function decodeTypedExtension(reader: MessageReader | undefined): TypedExtension | undefined {
  if (reader === undefined) return undefined;
  return { typeUrl: reader.string('type_url'), value: reader.bytes('value') };
}

/**
 * `typed_per_filter_config`: extensions by filter name. A type without a decoder is a fault, unless it comes wrapped in a
 * FilterConfig that says it is optional. A FilterConfig that adds nothing is unwrapped; one that disables its filter stays.
 */
export function decodeTypedPerFilterConfig(reader: MessageReader): ReadonlyMap<string, TypedExtension> {
  const configs = new Map<string, TypedExtension>();
  for (const [filterName, any] of reader.messageMap('typed_per_filter_config')) {
    const extension = decodePerFilterConfig(reader, `typed_per_filter_config[${filterName}]`, any);
    if (extension !== undefined) configs.set(filterName, extension);
  }
  return configs;
}

/** `metadata.filter_metadata` as plain JSON. */
export function decodeFilterMetadata(reader: MessageReader | undefined): FilterMetadata {
  if (reader === undefined) return {};
  const entries = [...reader.messageMap('filter_metadata')];
  return Object.fromEntries(entries.map(([key, struct]) => [key, struct.plainJson()]));
}

function decodePerFilterConfig(owner: MessageReader, field: string, any: MessageReader): TypedExtension | undefined {
  const extension = decodeTypedExtension(any);
  if (extension === undefined) return undefined;
  if (nameOfTypeUrl(extension.typeUrl) !== FILTER_CONFIG) return known(owner, field, any, extension);
  const wrapper = any.openedAny();
  if (wrapper === undefined || wrapper.boolean('disabled')) return extension;
  const inner = wrapper.message('config');
  const config = decodeTypedExtension(inner);
  if (inner === undefined || config === undefined) {
    wrapper.fault('config', 'must be set');
    return undefined;
  }
  if (wrapper.boolean('is_optional') && !ROUTE_FILTER_DECODERS.has(nameOfTypeUrl(config.typeUrl))) return undefined;
  return known(owner, `${field}.config`, inner, config);
}

/** The extension where its type has a decoder; faults of its content are faults of the resource. */
function known(
  owner: MessageReader,
  field: string,
  any: MessageReader,
  extension: TypedExtension,
): TypedExtension | undefined {
  const decode = ROUTE_FILTER_DECODERS.get(nameOfTypeUrl(extension.typeUrl));
  if (decode === undefined) {
    owner.fault(field, `type ${extension.typeUrl} is not supported`);
    return undefined;
  }
  const opened = any.openedAny();
  if (opened !== undefined) decode(opened);
  return extension;
}
