import { decodeRegexRewrite } from './matcher-decode.ts';
import type { MessageReader } from './message-reader.ts';

/** Consul puts this filter into the inbound listener of every HTTP service. */
export const HEADER_TO_METADATA_FILTER = 'envoy.extensions.filters.http.header_to_metadata.v3.Config';

/**
 * The filter copies header values into dynamic metadata, for filters that read it. A sidecar has none that does, so it is
 * checked and left out; what it would do to the message itself is refused.
 */
export function checkHeaderToMetadata(reader: MessageReader): void {
  for (const rule of [...reader.messages('request_rules'), ...reader.messages('response_rules')]) {
    if ((rule.string('header') === '') === (rule.string('cookie') === '')) {
      rule.fault('header', 'exactly one of header and cookie must be set');
    }
    rule.refuse('remove');
    const pairs = [rule.message('on_header_present'), rule.message('on_header_missing')];
    if (pairs.every((pair) => pair === undefined)) rule.fault('on_header_present', 'or on_header_missing must be set');
    for (const pair of pairs) {
      if (pair === undefined) continue;
      pair.requiredString('key');
      decodeRegexRewrite(pair.message('regex_value_rewrite'));
    }
  }
}
