/** What an endpoint is given and what it may answer. Endpoints are plain functions: no sockets, no waiting. */
import { ApiError } from '../api-error.ts';
import type { Topic } from '../state/change-index.ts';

export interface ApiRequest {
  readonly method: string;
  readonly path: string;
  /** Decoded parts of the path in the order of the route's `:name`s; the last may hold slashes. */
  readonly parameters: readonly string[];
  readonly query: URLSearchParams;
  readonly accept: string;
  readonly body: Buffer;
}

export interface Answer {
  readonly status?: number;
  /** At most one of these; none: an empty body. */
  readonly json?: unknown;
  readonly text?: string;
  readonly raw?: Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An answer that depends on state and that a client may wait for: `index` is its X-Consul-Index. */
export interface IndexedQuery {
  readonly kind: 'indexed';
  /** What moves it. */
  readonly topics: readonly Topic[];
  /** Where not simply the highest of the topics. */
  readonly index?: () => number;
  answer(): Answer;
}

/** As IndexedQuery, but a change of content counts, told by a hash (`/v1/agent/service/:id`). */
export interface HashedQuery {
  readonly kind: 'hashed';
  readonly topics: readonly Topic[];
  /** Undefined: the thing is not there. */
  hash(): string | undefined;
  answer(): Answer;
}

export type Outcome = Answer | IndexedQuery | HashedQuery;

export type Endpoint = (request: ApiRequest) => Outcome | Promise<Outcome>;

export interface Route {
  readonly methods: readonly string[];
  /** `/v1/health/service/:name`; a last `:name*` takes the rest of the path. */
  readonly path: string;
  readonly endpoint: Endpoint;
}

/** JSON of a request body; `prefix` is how Consul begins its refusal at this endpoint. */
export function jsonBody(request: ApiRequest, prefix = 'Request decode failed'): unknown {
  if (request.body.length === 0) throw new ApiError(400, `${prefix}: EOF`);
  try {
    return JSON.parse(request.body.toString('utf8'));
  } catch (cause) {
    throw new ApiError(400, `${prefix}: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}

export function parameter(request: ApiRequest, at: number): string {
  return request.parameters[at] ?? '';
}

/** A whole number such as `?cas=12`; undefined when the parameter is absent or (as Consul sees it) empty. */
export function indexParameter(request: ApiRequest, name: string): number | undefined {
  const text = request.query.get(name);
  if (text === null || text === '') return undefined;
  if (!/^\d{1,16}$/.test(text)) {
    throw new ApiError(500, `strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`);
  }
  return Number(text);
}
