import type { MessageReader } from './message-reader.ts';

/** envoy.config.core.v3.DataSource as text; only inline ones, as no file and no environment is read here. */
export function decodeDataSource(reader: MessageReader | undefined): string | undefined {
  if (reader === undefined) return undefined;
  const specifier = reader.oneof('specifier');
  switch (specifier) {
    case 'inline_string':
      return reader.string(specifier);
    case 'inline_bytes':
      return new TextDecoder().decode(reader.bytes(specifier));
    case undefined:
      reader.fault('', 'must have inline_string or inline_bytes');
      return undefined;
    default:
      reader.fault(specifier, 'is not supported; put the content into inline_string');
      return undefined;
  }
}
