import type { MessageReader } from './message-reader.ts';
import type { HeaderMutations, HeaderValueOption } from './route-configuration.ts';

const APPEND_ACTIONS = {
  APPEND_IF_EXISTS_OR_ADD: 'appendIfExistsOrAdd',
  ADD_IF_ABSENT: 'addIfAbsent',
  OVERWRITE_IF_EXISTS_OR_ADD: 'overwriteIfExistsOrAdd',
  OVERWRITE_IF_EXISTS: 'overwriteIfExists',
} as const;

/** RFC 9110 §5.1: a field name is a token. */
export const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** The four mutation lists that route configurations, virtual hosts, routes and weighted clusters share. */
export function decodeHeaderMutations(reader: MessageReader): HeaderMutations {
  return {
    requestHeadersToAdd: decodeHeaderValueOptions(reader, 'request_headers_to_add'),
    requestHeadersToRemove: decodeRemovals(reader, 'request_headers_to_remove'),
    responseHeadersToAdd: decodeHeaderValueOptions(reader, 'response_headers_to_add'),
    responseHeadersToRemove: decodeRemovals(reader, 'response_headers_to_remove'),
  };
}

/** A list of envoy.config.core.v3.HeaderValueOption. */
export function decodeHeaderValueOptions(reader: MessageReader, name: string): readonly HeaderValueOption[] {
  return reader.messages(name).flatMap(decodeHeaderValueOption);
}

/** One HeaderValueOption, or none: one that would add an empty value unasked is left out, as in Envoy. */
export function decodeHeaderValueOption(option: MessageReader): readonly HeaderValueOption[] {
  const header = option.requiredMessage('header');
  if (header === undefined) return [];
  const name = decodeHeaderName(header, 'key', header.string('key'));
  const value = decodeHeaderValue(header);
  if (value === '' && !option.boolean('keep_empty_value')) return [];
  return [{ name, value, appendAction: appendAction(option) }];
}

/** A header name in lower case that a configuration may change: a token, no pseudo-header and not `host`. */
export function decodeHeaderName(reader: MessageReader, field: string, name: string): string {
  const lowerCase = name.toLowerCase();
  if (lowerCase.startsWith(':') || lowerCase === 'host') {
    reader.fault(field, `${name} must not be changed by header mutations; use host or path rewrites`);
  } else if (!HEADER_NAME.test(lowerCase)) {
    reader.fault(field, `${JSON.stringify(name)} is not a header name`);
  }
  return lowerCase;
}

function decodeRemovals(reader: MessageReader, field: string): readonly string[] {
  return reader.strings(field).map((name, index) => decodeHeaderName(reader, `${field}[${index}]`, name));
}

function decodeHeaderValue(header: MessageReader): string {
  if (header.has('value') && header.has('raw_value')) header.fault('raw_value', 'excludes value');
  const value = header.has('raw_value')
    ? Buffer.from(header.bytes('raw_value')).toString('latin1')
    : header.string('value');
  // RFC 9110 §5.5: CR, LF and NUL in a value would let one header become several.
  if (/[\r\n\0]/.test(value)) header.fault('value', 'must not hold CR, LF or NUL');
  return value;
}

/** `append` is the older word; it counts where it is set and `append_action` is not. */
function appendAction(option: MessageReader): HeaderValueOption['appendAction'] {
  const append = option.wrappedBoolean('append');
  if (append === undefined) return option.choice('append_action', APPEND_ACTIONS, 'appendIfExistsOrAdd');
  if (option.has('append_action')) option.fault('append', 'excludes append_action');
  return append ? 'appendIfExistsOrAdd' : 'overwriteIfExistsOrAdd';
}
