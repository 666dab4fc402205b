import { decodeTypedExtension } from './extension-decode.ts';
import { type ExtensionSupport, ROUTER_FILTER } from './extension-support.ts';
import { checkHeaderToMetadata, HEADER_TO_METADATA_FILTER } from './header-to-metadata-decode.ts';
import type { HttpFilter } from './http-connection-manager.ts';
import { HTTP_FILTER_DECODERS } from './http-filter-config-decode.ts';
import type { MessageReader } from './message-reader.ts';
import { nameOfTypeUrl } from './protos.ts';

/** `http_filters`: the router stands last and nowhere else; filters marked optional are left out where unknown. */
export function decodeHttpFilters(reader: MessageReader, support: ExtensionSupport): readonly HttpFilter[] {
  const filters = reader.messages('http_filters').flatMap((filter) => decodeHttpFilter(filter, support));
  const isRouter = (filter: HttpFilter): boolean => nameOfTypeUrl(filter.config.typeUrl) === ROUTER_FILTER;
  const routerIndex = filters.findIndex(isRouter);
  if (routerIndex === -1) {
    reader.fault('http_filters', 'must end with the router filter');
  } else if (routerIndex < filters.length - 1) {
    const after = filters.slice(routerIndex + 1).map((filter) => filter.name);
    reader.fault('http_filters', `the router must be last; after it stand ${after.join(', ')}`);
  }
  return filters;
}

function decodeHttpFilter(reader: MessageReader, support: ExtensionSupport): readonly HttpFilter[] {
  const name = reader.requiredString('name');
  const isOptional = reader.boolean('is_optional');
  const config = decodeTypedExtension(reader.message('typed_config'));
  if (config !== undefined && nameOfTypeUrl(config.typeUrl) === HEADER_TO_METADATA_FILTER) {
    const opened = reader.opened('typed_config');
    if (opened !== undefined) checkHeaderToMetadata(opened);
    return [];
  }
  if (config === undefined || !support.httpFilters.has(nameOfTypeUrl(config.typeUrl))) {
    if (isOptional) return [];
    if (config === undefined) reader.fault('typed_config', `filter ${name} must be configured here`);
    else reader.fault('typed_config', `HTTP filter ${config.typeUrl} is not supported`);
    return [];
  }
  const disabled = reader.boolean('disabled');
  if (disabled && nameOfTypeUrl(config.typeUrl) === ROUTER_FILTER)
    reader.fault('disabled', 'the router cannot be disabled');
  checkConfig(reader.opened('typed_config'));
  return [{ name, isOptional, disabled, config }];
}

/** Faults of the filter's own config are faults of the listener; what was read is read again by the filter's factory. */
function checkConfig(config: MessageReader | undefined): void {
  if (config !== undefined) HTTP_FILTER_DECODERS.get(config.typeName)?.(config);
}
