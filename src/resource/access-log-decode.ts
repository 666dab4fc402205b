import type { AccessLogFormat, AccessLogger } from './access-logger.ts';
import { decodeDataSource } from './data-source-decode.ts';
import type { ExtensionSupport } from './extension-support.ts';
import type { MessageReader } from './message-reader.ts';

/** Decoders of access loggers by full message name. */
export const ACCESS_LOGGER_DECODERS: ReadonlyMap<string, (reader: MessageReader) => AccessLogger> = new Map<
  string,
  (reader: MessageReader) => AccessLogger
>([
  ['envoy.extensions.access_loggers.file.v3.FileAccessLog', decodeFile],
  ['envoy.extensions.access_loggers.stream.v3.StdoutAccessLog', decodeStream('stdout')],
  ['envoy.extensions.access_loggers.stream.v3.StderrAccessLog', decodeStream('stderr')],
]);

/** A list of envoy.config.accesslog.v3.AccessLog. Filters on them are refused. */
export function decodeAccessLogs(
  reader: MessageReader,
  name: string,
  support: ExtensionSupport,
): readonly AccessLogger[] {
  return reader.messages(name).flatMap((accessLog) => {
    accessLog.refuse('filter');
    const config = accessLog.opened('typed_config');
    if (config === undefined) return [];
    const decode = ACCESS_LOGGER_DECODERS.get(config.typeName);
    if (decode === undefined || !support.accessLoggers.has(config.typeName)) {
      accessLog.fault('typed_config', `access logger ${config.typeName} is not supported`);
      return [];
    }
    return [decode(config)];
  });
}

function decodeFile(reader: MessageReader): AccessLogger {
  const path = reader.requiredString('path');
  // The three older words for what log_format says.
  const text = reader.string('format');
  const json = reader.struct('json_format') ?? reader.struct('typed_json_format');
  let format = decodeFormat(reader.message('log_format'));
  if (format.kind === 'default' && text !== '') format = { kind: 'text', text, omitEmptyValues: false };
  if (format.kind === 'default' && json !== undefined) format = { kind: 'json', json, omitEmptyValues: false };
  return { destination: { kind: 'file', path }, format };
}

function decodeStream(kind: 'stdout' | 'stderr'): (reader: MessageReader) => AccessLogger {
  return (reader) => ({ destination: { kind }, format: decodeFormat(reader.message('log_format')) });
}

function decodeFormat(reader: MessageReader | undefined): AccessLogFormat {
  if (reader === undefined) return { kind: 'default' };
  reader.refuse('formatters');
  const omitEmptyValues = reader.boolean('omit_empty_values');
  switch (reader.oneof('format')) {
    case 'text_format':
      return { kind: 'text', text: reader.string('text_format'), omitEmptyValues };
    case 'text_format_source':
      return { kind: 'text', text: decodeDataSource(reader.message('text_format_source')) ?? '', omitEmptyValues };
    case 'json_format':
      return { kind: 'json', json: reader.struct('json_format') ?? {}, omitEmptyValues };
    default:
      reader.fault('', 'must have one of text_format, text_format_source, json_format');
      return { kind: 'default' };
  }
}
