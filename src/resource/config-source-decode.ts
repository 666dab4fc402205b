import type { MessageReader } from './message-reader.ts';

/**
 * envoy.config.core.v3.ConfigSource. A sidecar has one stream for everything, so whatever management server a source names
 * is taken to mean that stream; a file is not.
 */
export function checkConfigSource(reader: MessageReader | undefined): void {
  reader?.refuse('path', 'path_config_source');
}
