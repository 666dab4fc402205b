import type { DataSource } from './data-source.ts';
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

/** The same where a file may hold the text: whoever uses it reads the file and looks after its changes. */
export function decodeFileOrInline(reader: MessageReader | undefined): DataSource | undefined {
  if (reader === undefined) return undefined;
  if (reader.oneof('specifier') === 'filename') return { kind: 'file', path: reader.requiredString('filename') };
  const text = decodeDataSource(reader);
  return text === undefined ? undefined : { kind: 'inline', text };
}
