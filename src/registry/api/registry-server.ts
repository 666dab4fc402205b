/**
 * The HTTP side of the registry: reads a bounded request, finds its endpoint, waits where a client asked to wait, and writes
 * the answer with the headers Consul puts on it. Knows nothing of what the endpoints do.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { ApiError } from '../api-error.ts';
import type { FaultSwitches, RequestFault } from '../faults.ts';
import { FilterError } from '../filter/filter.ts';
import type { ChangeIndex } from '../state/change-index.ts';
import type { Answer, HashedQuery, IndexedQuery } from './exchange.ts';
import { MethodNotAllowed, type Router } from './router.ts';
import { indexOf, type Waiting, waitMsOf } from './waiting.ts';

export interface RegistryServerOptions {
  readonly router: Router;
  readonly waiting: Waiting;
  readonly changes: ChangeIndex;
  readonly faults: FaultSwitches;
  readonly datacenter: string;
  readonly maxConnections: number;
}

/** A key's value may be 512 KiB; nothing else comes near it. One byte more lets the endpoint refuse in its own words. */
const MAX_BODY_BYTES = 1_048_576;
const REQUEST_TIMEOUT_MS = 30_000;
const KEEP_ALIVE_TIMEOUT_MS = 60_000;

/** What an agent answers from its own cache when `?cached` asks for it. Here everything is as fresh as can be anyway. */
const CACHED_PATHS =
  /^\/v1\/(?:health\/(?:service|connect)\/|catalog\/services?(?:\/|$)|connect\/intentions\/match$|agent\/connect\/ca\/)/;

export function createRegistryServer(options: RegistryServerOptions): Server {
  const server = createServer(
    {
      requestTimeout: REQUEST_TIMEOUT_MS,
      headersTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      maxHeaderSize: 32_768,
    },
    (request, response) => {
      void new Exchange(options, request, response).run();
    },
  );
  server.maxConnections = options.maxConnections;
  return server;
}

class Exchange {
  readonly #options: RegistryServerOptions;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #url: URL | undefined;

  constructor(options: RegistryServerOptions, request: IncomingMessage, response: ServerResponse) {
    this.#options = options;
    this.#request = request;
    this.#response = response;
    this.#url = targetOf(request.url ?? '/');
  }

  async run(): Promise<void> {
    // A client that leaves in the middle is no fault of ours.
    this.#response.on('error', () => undefined);
    this.#request.on('error', () => undefined);
    try {
      const fault = this.#options.faults.take(this.#path);
      if (fault !== undefined) {
        this.#misbehave(fault);
        return;
      }
      const body = await readBody(this.#request);
      if (body === undefined) return;
      await this.#dispatch(body);
    } catch (cause) {
      this.#refuse(cause);
    }
  }

  get #path(): string {
    return this.#url?.pathname ?? '/';
  }

  get #query(): URLSearchParams {
    return this.#url?.searchParams ?? new URLSearchParams();
  }

  async #dispatch(body: Buffer): Promise<void> {
    if (this.#url === undefined) throw new ApiError(400, 'Invalid request target');
    if (this.#path === '/') {
      this.#write({ text: 'Consul Agent' });
      return;
    }
    const query = this.#query;
    const dc = query.get('dc');
    if (dc !== null && dc !== '' && dc !== this.#options.datacenter) throw new ApiError(500, 'No path to datacenter');
    if (query.has('stale') && query.has('consistent')) {
      throw new ApiError(400, 'Cannot specify ?stale with ?consistent, conflicting semantics.');
    }
    if (query.has('cached') && query.has('consistent')) {
      throw new ApiError(400, 'Cannot specify ?cached with ?consistent, conflicting semantics.');
    }
    const method = this.#request.method ?? 'GET';
    const { endpoint, parameters } = this.#options.router.match(method, this.#path);
    const accept = this.#request.headers.accept ?? '';
    const made = endpoint({ method, path: this.#path, parameters, query, accept, body });
    // Most are made at once, and are answered in the turn in which they were asked.
    const outcome = made instanceof Promise ? await made : made;
    if (this.#response.destroyed) return;
    if (!('kind' in outcome)) this.#write(outcome);
    else if (outcome.kind === 'indexed') this.#runIndexed(outcome);
    else this.#runHashed(outcome);
  }

  #runIndexed(query: IndexedQuery): void {
    const index = (): number => query.index?.() ?? this.#options.changes.indexOf(query.topics);
    const seen = indexOf(this.#query);
    const waitMs = waitMsOf(this.#query);
    const answer = (): void => this.#write(query.answer(), this.#consistencyHeaders(index()));
    if (seen === 0 || index() > seen) answer();
    else this.#wait(query.topics, waitMs, () => index() > seen, answer);
  }

  #runHashed(query: HashedQuery): void {
    const seen = this.#query.get('hash');
    const answer = (): void => this.#write(query.answer());
    const hash = query.hash();
    if (seen === null || seen === '' || hash === undefined || hash !== seen) answer();
    else this.#wait(query.topics, waitMsOf(this.#query), () => query.hash() !== seen, answer);
  }

  #wait(topics: readonly string[], waitMs: number, isDue: () => boolean, answer: () => void): void {
    const client = this.#request.socket.remoteAddress ?? '';
    const leave = this.#options.waiting.begin({ topics, client, waitMs, isDue }, (end) => {
      if (end === 'gone') return;
      try {
        answer();
      } catch (cause) {
        this.#refuse(cause);
      }
    });
    this.#response.on('close', leave);
  }

  #consistencyHeaders(index: number): Record<string, string> {
    const query = this.#query;
    const mode = query.has('consistent') ? 'consistent' : query.has('stale') ? 'stale' : 'leader';
    return {
      'x-consul-index': String(Math.max(1, index)),
      'x-consul-knownleader': 'true',
      'x-consul-lastcontact': '0',
      'x-consul-effective-consistency': mode,
      'x-consul-default-acl-policy': 'allow',
      'x-consul-query-backend': 'blocking-query',
      ...(query.has('cached') && CACHED_PATHS.test(this.#path) ? { 'x-cache': 'HIT', age: '0' } : {}),
    };
  }

  #refuse(cause: unknown): void {
    if (cause instanceof MethodNotAllowed) {
      this.#write({ status: 405, text: cause.message, headers: { allow: cause.allowed.join(',') } });
    } else if (cause instanceof ApiError) {
      this.#write({ status: cause.status, text: cause.message });
    } else if (cause instanceof FilterError) {
      this.#write({ status: 500, text: `Failed to create boolean expression evaluator: ${cause.message}` });
    } else {
      this.#write({ status: 500, text: cause instanceof Error ? cause.message : String(cause) });
    }
  }

  #write(answer: Answer, extra: Readonly<Record<string, string>> = {}): void {
    const response = this.#response;
    if (response.headersSent || response.destroyed) return;
    const { type, bytes } = bodyOf(answer, this.#query.has('pretty'));
    const headers: Record<string, string> = { vary: 'Accept-Encoding', ...extra, ...answer.headers };
    if (type !== undefined && headers['content-type'] === undefined) headers['content-type'] = type;
    headers['content-length'] = String(bytes.length);
    response.writeHead(answer.status ?? 200, headers);
    response.end(bytes);
  }

  #misbehave(fault: RequestFault): void {
    switch (fault.kind) {
      case 'hang':
        return;
      case 'disconnect':
        this.#request.socket.destroy();
        return;
      case 'truncate':
        this.#response.writeHead(200, {
          'content-type': 'application/json',
          'x-consul-index': '2',
          'content-length': '1000',
        });
        this.#response.write('[{"Node":');
        setImmediate(() => this.#request.socket.destroySoon());
        return;
      case 'respond':
        this.#request.resume();
        this.#write({
          status: fault.status,
          text: fault.body,
          ...(fault.headers === undefined ? {} : { headers: fault.headers }),
        });
        return;
    }
  }
}

/** Undefined when the client left before it had sent everything. */
function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let total = 0;
    request.on('data', (chunk: Buffer) => {
      total += chunk.length;
      if (total > MAX_BODY_BYTES) {
        request.removeAllListeners('data');
        request.resume();
        reject(new ApiError(413, `Request body too large, max size: ${MAX_BODY_BYTES} bytes`));
        return;
      }
      chunks.push(chunk);
    });
    request.on('end', () => resolve(Buffer.concat(chunks, total)));
    request.on('close', () => resolve(undefined));
  });
}

function bodyOf(answer: Answer, pretty: boolean): { type: string | undefined; bytes: Buffer } {
  if (answer.raw !== undefined) return { type: undefined, bytes: answer.raw };
  if (answer.text !== undefined) return { type: 'text/plain; charset=utf-8', bytes: Buffer.from(answer.text) };
  if (answer.json === undefined) return { type: undefined, bytes: Buffer.alloc(0) };
  const text = pretty ? `${JSON.stringify(answer.json, undefined, 4)}\n` : JSON.stringify(answer.json);
  return { type: 'application/json', bytes: Buffer.from(text) };
}

function targetOf(target: string): URL | undefined {
  // Paths may hold what URL would tidy away (`//`), but never an authority of their own.
  const text = `http://registry${target.startsWith('/') ? target : `/${target}`}`;
  return URL.canParse(text) ? new URL(text) : undefined;
}
