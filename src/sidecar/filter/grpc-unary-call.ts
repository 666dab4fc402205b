import { parseGrpcStatus } from '../../base/grpc-status.ts';
import { isGrpc } from '../../http/grpc/grpc.ts';
import type { GrpcUpstreamService } from '../../resource/upstream-service.ts';
import type { UpstreamCall, UpstreamCallAnswer, UpstreamCalls } from './upstream-calls.ts';

/** grpc: PROTOCOL-HTTP2.md, Length-Prefixed-Message: a flag for compression, then the length. */
const PREFIX_BYTES = 5;
const DEADLINE_EXCEEDED = 4;

export type GrpcUnaryOutcome =
  | { readonly kind: 'message'; readonly bytes: Buffer }
  | { readonly kind: 'failed'; readonly detail: string; readonly isTimeout: boolean };

/** One gRPC call with one message each way. */
export function startGrpcUnaryCall(
  calls: UpstreamCalls,
  service: GrpcUpstreamService,
  path: string,
  message: Uint8Array,
  onOutcome: (outcome: GrpcUnaryOutcome) => void,
): UpstreamCall {
  const { clusterName, authority, timeoutMs } = service;
  const body = Buffer.allocUnsafe(PREFIX_BYTES + message.length);
  body.writeUInt8(0, 0);
  body.writeUInt32BE(message.length, 1);
  body.set(message, PREFIX_BYTES);
  const pairs = ['te', 'trailers', 'content-type', 'application/grpc', 'grpc-timeout', `${Math.ceil(timeoutMs)}m`];
  for (const { name, value } of service.initialMetadata) pairs.push(name, value);
  const request = { clusterName, method: 'POST', path, authority, pairs, body, timeoutMs, isGrpc: true };
  return calls.start(request, (outcome) => {
    onOutcome(outcome.kind === 'failed' ? outcome : messageOf(outcome));
  });
}

function messageOf({ status, fields, trailers, body }: UpstreamCallAnswer): GrpcUnaryOutcome {
  if (status !== 200) return failed(`http_status_${status}`);
  if (!isGrpc(fields)) return failed('not_grpc');
  // An answer of trailers alone has its status in the head.
  const text = (trailers ?? fields).get('grpc-status');
  const grpcStatus = text === undefined ? undefined : parseGrpcStatus(text);
  // The server knows the deadline, too, and may see it pass a moment before our own timer does.
  if (grpcStatus === DEADLINE_EXCEEDED) return { kind: 'failed', detail: 'timeout', isTimeout: true };
  if (grpcStatus !== 0) return failed(grpcStatus === undefined ? 'no_grpc_status' : `grpc_status_${grpcStatus}`);
  const isWhole = body.length >= PREFIX_BYTES && body.readUInt32BE(1) === body.length - PREFIX_BYTES;
  if (!isWhole || body.readUInt8(0) !== 0) return failed('grpc_message_malformed');
  return { kind: 'message', bytes: body.subarray(PREFIX_BYTES) };
}

function failed(detail: string): GrpcUnaryOutcome {
  return { kind: 'failed', detail, isTimeout: false };
}
