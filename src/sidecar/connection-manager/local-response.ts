import { grpcStatusOfHttp } from '../../base/grpc-status.ts';
import { encodeGrpcMessage } from '../../http/grpc/grpc.ts';
import type { HttpVersion, ResponseHead } from '../../http/head.ts';
import type { HeaderFields } from '../../http/header-fields.ts';
import { ListedFields } from '../../http/listed-fields.ts';
import type { LocalReply } from '../filter/filter.ts';

/** A response head without an upstream behind it, so that filters and policies treat it like any other. */
export class LocalResponseHead implements ResponseHead {
  readonly version: HttpVersion = 11;
  readonly status: number;
  readonly fields: HeaderFields;
  readonly bodyLength: number;
  readonly keepAlive = true;
  readonly keepAliveTimeoutMs = 0;

  constructor(status: number, pairs: readonly string[], bodyLength: number) {
    this.status = status;
    this.fields = new ListedFields(pairs);
    this.bodyLength = bodyLength;
  }
}

/** The status of a call whose answer has begun: what follows its messages. */
export function grpcTrailers(reply: LocalReply): HeaderFields {
  return new ListedFields(grpcStatusPairs(reply));
}

function grpcStatusPairs({ status, body, grpcStatus }: LocalReply): string[] {
  const pairs = ['grpc-status', String(grpcStatus ?? grpcStatusOfHttp(status))];
  if (body !== '') pairs.push('grpc-message', encodeGrpcMessage(body));
  return pairs;
}

/** Where an HTTP status speaks to a gRPC client, it is said in the one answer such clients understand: trailers only. */
export function localResponseHead(isGrpcCaller: boolean, reply: LocalReply): LocalResponseHead {
  const { status, body } = reply;
  if (isGrpcCaller) {
    return new LocalResponseHead(200, ['content-type', 'application/grpc', ...grpcStatusPairs(reply)], 0);
  }
  const pairs = body === '' ? [] : ['content-type', 'text/plain'];
  return new LocalResponseHead(status, pairs, Buffer.byteLength(body));
}
