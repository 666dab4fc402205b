import { GRPC_STATUS, parseGrpcStatus } from '../../base/grpc-status.ts';
import { isGrpc } from '../../http/grpc/grpc.ts';
import type { RequestHead } from '../../http/head.ts';
import type { HeaderFields } from '../../http/header-fields.ts';
import { NO_GRPC_STATUS, NOT_GRPC, type StreamRecord } from '../../telemetry/stream-record.ts';

/** What a record knows of a request that is a gRPC call. */

/** Marks the record where the request is a call (grpc: PROTOCOL-HTTP2.md: POST, and the content type). */
export function noteGrpcCall(record: StreamRecord, head: RequestHead): boolean {
  if (head.method !== 'POST' || !isGrpc(head.fields)) return false;
  record.grpcStatus = NO_GRPC_STATUS;
  return true;
}

/** The status, which comes in trailers, or in the head of an answer that has nothing else. */
export function noteGrpcStatus(record: StreamRecord, fields: HeaderFields): void {
  if (record.grpcStatus === NOT_GRPC) return;
  const status = fields.get('grpc-status');
  if (status !== undefined) record.grpcStatus = parseGrpcStatus(status) ?? GRPC_STATUS.unknown;
}
