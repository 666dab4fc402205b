import { grpcStatusOfHttp } from '../../base/grpc-status.ts';
import { encodeGrpcMessage } from '../../http/grpc/grpc.ts';
import type { HttpVersion, ResponseHead } from '../../http/head.ts';
import type { HeaderFields } from '../../http/header-fields.ts';
import type { LocalReply } from '../filter/filter.ts';

/** The fields of an answer that we make ourselves. */
class ListedFields implements HeaderFields {
  readonly #pairs: readonly string[];

  /** Flat pairs: lower-case name, value, … */
  constructor(pairs: readonly string[]) {
    this.#pairs = pairs;
  }

  get count(): number {
    return this.#pairs.length / 2;
  }

  nameAt(index: number): string {
    return this.#pairs[index * 2] ?? '';
  }

  valueAt(index: number): string {
    return this.#pairs[index * 2 + 1] ?? '';
  }

  indexOf(name: string, from = 0): number {
    for (let index = from; index < this.count; index++) if (this.nameAt(index) === name) return index;
    return -1;
  }

  get(name: string): string | undefined {
    const index = this.indexOf(name);
    return index < 0 ? undefined : this.valueAt(index);
  }

  isHopByHop(): boolean {
    return false;
  }
}

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
