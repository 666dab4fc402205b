import { ChangedRequestHead } from '../../http/changed-head.ts';
import { UNKNOWN_LENGTH } from '../../http/head.ts';
import type { CompiledFilter, FilterStream } from './filter-stream.ts';
import { plainReply } from './local-replies.ts';

const TOO_LARGE = plainReply(413, 'request_payload_too_large', 'Payload Too Large');

/** envoy.filters.http.buffer: the upstream is asked when the whole request is here, and knows its length. */
export function createBuffer(name: string, config: { readonly maxRequestBytes: number }): CompiledFilter {
  const { maxRequestBytes } = config;
  /** Bytes that have come of each request that waits. */
  const waiting = new Map<FilterStream, number>();
  return {
    name,
    onRequestHead(stream) {
      const { bodyLength, upgrade } = stream.head;
      if (bodyLength === 0 || upgrade !== '') return 'continue';
      if (bodyLength > maxRequestBytes) {
        stream.sendLocalReply(TOO_LARGE, '');
        return 'stop';
      }
      waiting.set(stream, 0);
      stream.holdRequestUpTo(maxRequestBytes);
      return 'stop';
    },
    onRequestBody(stream, piece) {
      const bytes = waiting.get(stream);
      if (bytes === undefined) return;
      waiting.set(stream, bytes + piece.length);
      if (bytes + piece.length > maxRequestBytes) stream.sendLocalReply(TOO_LARGE, '');
    },
    onRequestEnd(stream, ending) {
      const bodyLength = waiting.get(stream);
      if (bodyLength === undefined) return;
      // Trailers need a body that is framed.
      const isMeasured = stream.head.bodyLength === UNKNOWN_LENGTH && ending.trailers === undefined;
      if (isMeasured) stream.head = new ChangedRequestHead(stream.head, { bodyLength });
      stream.continueRequest();
    },
    onStreamEnd: (stream) => void waiting.delete(stream),
    forRoute([own]) {
      return own?.kind === 'buffer' ? createBuffer(name, own) : this;
    },
  };
}
