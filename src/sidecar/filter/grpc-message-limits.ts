import { GRPC_STATUS } from '../../base/grpc-status.ts';
import { GrpcMessageCounter, isGrpc } from '../../http/grpc/grpc.ts';
import { GRPC_LIMITS_METADATA, type GrpcLimitValues, readGrpcLimits } from '../../resource/grpc-limits.ts';
import type { FilterMetadata } from '../../resource/route-configuration.ts';
import type { Counter } from '../../telemetry/metrics/metrics.ts';
import type { CompiledRoute } from '../route/route.ts';
import type { FilterContext } from './filter-context.ts';
import type { CompiledFilter, FilterStream } from './filter-stream.ts';
import { plainReply } from './local-replies.ts';

const NO_LIMITS: GrpcLimitValues = {};
const NONE = Number.POSITIVE_INFINITY;

/** One direction of a call, and what its messages may be at most. */
class Direction {
  readonly #messages = new GrpcMessageCounter();
  readonly limitBytes: number;

  constructor(limitBytes: number | undefined) {
    this.limitBytes = limitBytes ?? NONE;
  }

  /** The size that a message announces which is too large; 0 where none does. */
  tooLarge(buffer: Buffer, start: number, end: number): number {
    if (this.limitBytes === NONE) return 0;
    this.#messages.add(buffer, start, end);
    const { largestMessageBytes } = this.#messages;
    return largestMessageBytes > this.limitBytes ? largestMessageBytes : 0;
  }
}

interface Call {
  readonly requests: Direction;
  readonly responses: Direction;
  /** Another proxy's error page has no messages in it. */
  hasMessages: boolean;
}

/**
 * `weft.grpc_limits`: a message that says it is larger than it may be ends its call with RESOURCE_EXHAUSTED, as it would at an
 * endpoint that has such a limit. The length in front of each message is read as it passes; nothing is held back, and a
 * compressed message counts as it is on the wire. Stands next to the router, where a browser's call is gRPC already.
 * Undefined where neither the listener nor a route asks for it.
 */
export function grpcMessageLimits(
  listenerMetadata: FilterMetadata,
  routes: Iterable<CompiledRoute>,
  { metrics, statPrefix }: FilterContext,
): CompiledFilter | undefined {
  const ofListener = readGrpcLimits(listenerMetadata).values;
  const ofRoutes = new Map<CompiledRoute, GrpcLimitValues>();
  for (const compiled of routes) {
    const { values } = readGrpcLimits(compiled.route.metadata);
    if (Object.keys(values).length > 0) ofRoutes.set(compiled, { ...ofListener, ...values });
  }
  if (ofRoutes.size === 0 && Object.keys(ofListener).length === 0) return undefined;
  const scope = { kind: 'http', name: statPrefix } as const;
  const requestsRefused = metrics.counter(scope, 'grpc_request_message_too_large');
  const responsesRefused = metrics.counter(scope, 'grpc_response_message_too_large');
  const calls = new Map<FilterStream, Call>();
  return {
    name: GRPC_LIMITS_METADATA,
    onRequestHead(stream) {
      if (!stream.isGrpcCall) return 'continue';
      const { route } = stream;
      const limits = route === undefined ? NO_LIMITS : (ofRoutes.get(route) ?? ofListener);
      const requests = new Direction(limits.maxRequestMessageBytes);
      calls.set(stream, { requests, responses: new Direction(limits.maxResponseMessageBytes), hasMessages: false });
      return 'continue';
    },
    onRequestBody(stream, piece) {
      const direction = calls.get(stream)?.requests;
      const bytes = direction?.tooLarge(piece.buffer, piece.start, piece.end) ?? 0;
      if (direction === undefined || bytes === 0) return;
      piece.drop();
      endCall(stream, 'request', 413, bytes, direction.limitBytes, requestsRefused);
    },
    onResponseHead(stream, head) {
      const call = calls.get(stream);
      if (call !== undefined) call.hasMessages = !stream.isLocalReply && isGrpc(head.fields);
      return 'continue';
    },
    onResponseBody(stream, piece) {
      const call = calls.get(stream);
      if (call?.hasMessages !== true) return;
      const bytes = call.responses.tooLarge(piece.buffer, piece.start, piece.end);
      if (bytes === 0) return;
      piece.drop();
      endCall(stream, 'response', 502, bytes, call.responses.limitBytes, responsesRefused);
    },
    onStreamEnd: (stream) => void calls.delete(stream),
  };
}

function endCall(
  stream: FilterStream,
  direction: 'request' | 'response',
  status: number,
  bytes: number,
  limitBytes: number,
  refused: Counter,
): void {
  refused.increment();
  const message = `${direction} message larger than max (${bytes} vs. ${limitBytes} bytes, ${GRPC_LIMITS_METADATA})`;
  const details = `grpc_${direction}_message_too_large`;
  stream.endCall(plainReply(status, details, message, '', GRPC_STATUS.resourceExhausted));
}
