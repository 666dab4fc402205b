import { parseGrpcStatus } from '../../base/grpc-status.ts';
import { ChangedResponseHead } from '../../http/changed-head.ts';
import type { HeaderFields } from '../../http/header-fields.ts';
import type { CompiledFilter, FilterStream } from './filter-stream.ts';

/** The longest answer that is kept until its status is known. Envoy keeps as much as its connection buffer holds. */
const MAX_RESPONSE_BYTES = 1_048_576;

/**
 * envoy.filters.http.grpc_http1_bridge: a unary call of an HTTP/1.1 client that knows no trailers. The answer waits for
 * them; their status and message come in its head, and a call that failed has status 503.
 */
export function createGrpcHttp1Bridge(name: string): CompiledFilter {
  /** Bytes of the answer so far. */
  const calls = new Map<FilterStream, number>();
  return {
    name,
    onRequestHead(stream) {
      if (stream.isGrpcCall && stream.head.version !== 20) calls.set(stream, 0);
      return 'continue';
    },
    onResponseHead(stream, head) {
      if (!calls.has(stream)) return 'continue';
      const status = head.fields.get('grpc-status');
      if (status !== undefined) {
        if (status !== '0') stream.responseHead = new ChangedResponseHead(head, { status: 503 });
        return 'continue';
      }
      stream.holdResponseUpTo(MAX_RESPONSE_BYTES);
      return 'stop';
    },
    onResponseBody(stream, piece) {
      const bytes = calls.get(stream);
      if (bytes !== undefined) calls.set(stream, bytes + piece.length);
    },
    onResponseEnd(stream, ending) {
      const bytes = calls.get(stream);
      const head = stream.responseHead;
      if (bytes === undefined || head === undefined || stream.isLocalReply) return;
      const { trailers } = ending;
      ending.trailers = undefined;
      const isFailed = moveStatus(trailers, stream);
      stream.responseHead = new ChangedResponseHead(head, {
        bodyLength: bytes,
        ...(isFailed ? { status: 503 } : {}),
      });
      stream.continueResponse();
    },
    onStreamEnd: (stream) => void calls.delete(stream),
  };
}

/** Trailers become fields of the head. True where they say that the call has failed, or do not say how it ended. */
function moveStatus(trailers: HeaderFields | undefined, { responseEdits }: FilterStream): boolean {
  for (let index = 0; index < (trailers?.count ?? 0); index++) {
    const name = trailers?.nameAt(index) ?? '';
    if (name !== '' && trailers?.isHopByHop(index) === false) responseEdits.add(name, trailers.valueAt(index));
  }
  return parseGrpcStatus(trailers?.get('grpc-status') ?? '') !== 0;
}
