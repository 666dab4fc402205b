import type { Tracing } from './http-connection-manager.ts';
import type { MessageReader } from './message-reader.ts';
import { decodePercent } from './percent-decode.ts';

/** Envoy's `max_path_tag_length`. */
const DEFAULT_MAX_PATH_TAG_LENGTH = 256;

/**
 * HttpConnectionManager.Tracing. Where spans go is the process's own setting, so `provider` is read past; so are custom tags
 * that are no literals.
 */
export function decodeTracing(reader: MessageReader | undefined): Tracing | undefined {
  if (reader === undefined) return undefined;
  return {
    clientSampling: (decodePercent(reader.message('client_sampling')) ?? 100) / 100,
    randomSampling: (decodePercent(reader.message('random_sampling')) ?? 100) / 100,
    overallSampling: (decodePercent(reader.message('overall_sampling')) ?? 100) / 100,
    spawnUpstreamSpan: reader.wrappedBoolean('spawn_upstream_span') ?? false,
    maxPathTagLength: reader.wrappedNumber('max_path_tag_length') ?? DEFAULT_MAX_PATH_TAG_LENGTH,
    customTags: reader.messages('custom_tags').flatMap((customTag) => {
      const tag = customTag.requiredString('tag');
      const literal = customTag.message('literal')?.string('value');
      return literal === undefined ? [] : [{ tag, literal }];
    }),
  };
}
