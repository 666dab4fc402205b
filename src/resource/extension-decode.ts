import type { MessageReader } from './message-reader.ts';
import { messageTypeOfUrl } from './protos.ts';
import type { FilterMetadata, TypedExtension } from './route-configuration.ts';

const FILTER_CONFIG = 'envoy.config.route.v3.FilterConfig';

/** An Any as a typed extension, its bytes copied; undefined where absent. Nothing inside is looked at. */
export function decodeTypedExtension(reader: MessageReader | undefined): TypedExtension | undefined {
  if (reader === undefined) return undefined;
  return { typeUrl: reader.string('type_url'), value: reader.bytes('value') };
}

/**
 * `typed_per_filter_config`: extensions by filter name. A type that `proto/` lacks is a fault, unless it comes wrapped in a
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
  const type = messageTypeOfUrl(extension?.typeUrl ?? '');
  if (type === undefined) {
    owner.fault(field, `type ${extension?.typeUrl} is not supported`);
    return undefined;
  }
  if (type.fullName !== `.${FILTER_CONFIG}`) return extension;
  const wrapped = any.openedAny();
  if (wrapped === undefined || wrapped.boolean('disabled')) return extension;
  const inner = decodeTypedExtension(wrapped.message('config'));
  if (inner !== undefined && messageTypeOfUrl(inner.typeUrl) !== undefined) return inner;
  if (!wrapped.boolean('is_optional')) wrapped.fault('config', `type ${inner?.typeUrl ?? '(none)'} is not supported`);
  return undefined;
}
