import type { HttpVersion, RequestHead, ResponseHead } from '../../http/head.ts';
import type { HeaderFields } from '../../http/header-fields.ts';

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

/** gRPC's code for an HTTP status (grpc: doc/http-grpc-status-mapping.md). */
function grpcStatus(status: number): number {
  switch (status) {
    case 400:
      return 13;
    case 401:
      return 16;
    case 403:
      return 7;
    case 404:
      return 12;
    case 429:
    case 502:
    case 503:
    case 504:
      return 14;
    default:
      return 2;
  }
}

/** Where an HTTP status speaks to a gRPC client, it is said in the one answer such clients understand: trailers only. */
export function localResponseHead(request: RequestHead, status: number, body: string): LocalResponseHead {
  const contentType = request.fields.get('content-type');
  if (contentType?.startsWith('application/grpc') === true && status >= 400) {
    const message = encodeURIComponent(body).replaceAll('%20', ' ');
    const pairs = ['content-type', 'application/grpc', 'grpc-status', String(grpcStatus(status))];
    if (message !== '') pairs.push('grpc-message', message);
    return new LocalResponseHead(200, pairs, 0);
  }
  const pairs = body === '' ? [] : ['content-type', 'text/plain'];
  return new LocalResponseHead(status, pairs, Buffer.byteLength(body));
}
