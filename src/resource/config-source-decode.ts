import type { MessageReader } from './message-reader.ts';

/**
 * envoy.config.core.v3.ConfigSource. A sidecar has one stream for everything, so whatever management server a source names
 * is taken to mean that stream; a file is not.
 */
export function decodeConfigSource(reader: MessageReader | undefined): InitialFetchTimeout {
  checkConfigSource(reader);
  const initialFetchTimeoutMs = reader?.durationMs('initial_fetch_timeout');
  return initialFetchTimeoutMs === undefined ? {} : { initialFetchTimeoutMs };
}

/** How long what names a resource waits for it; 0 waits without end, and 15 s where nothing is said. */
export interface InitialFetchTimeout {
  readonly initialFetchTimeoutMs?: number;
}

/** For what has a wait of its own. */
export function checkConfigSource(reader: MessageReader | undefined): void {
  reader?.refuse('path', 'path_config_source');
}
