import { createHash } from 'node:crypto';
import { type Dispatcher, Pool } from 'undici';
import { type ConsulAccess, scopeParameters, tlsConnector, tokenSource } from './consul-access.ts';
import { ConsulError, statusError, unreachableError } from './consul-error.ts';

/** Consul's agents allow 200 connections per client address by default; what is left over is for people's own tools. */
const DEFAULT_MAX_CONNECTIONS = 160;
/** 10,000 instances of one service are about 20 MB of JSON. */
const DEFAULT_MAX_BODY_BYTES = 64 * 1024 * 1024;
const CONNECT_TIMEOUT_MS = 2_000;

export interface ConsulHttpOptions extends ConsulAccess {
  readonly maxConnections?: number;
  readonly maxBodyBytes?: number;
  /** The clock by which files are looked at again. */
  readonly nowMs?: () => number;
}

export interface ConsulAnswer {
  /** `X-Consul-Index`; undefined where the path does not block. */
  readonly index: bigint | undefined;
  /** Equal hashes mean equal bodies: an index that moved is no proof of change. */
  readonly bodyHash: string;
  /** Milliseconds since the answering server last heard from the leader. */
  readonly lastContactMs: number;
  /** Rows were left out because the token may not read them: what is missing is not gone. */
  readonly isFilteredByAcls: boolean;
  /** Answered from the agent's own stream of events, not by the servers. */
  readonly isStreamed: boolean;
  /** Held for less time than was asked for: that it says nothing new means nothing. */
  readonly isCutShort?: true;
  /** `allow` or `deny`: what holds where neither a rule nor an intention says anything. Empty where the agent does not say. */
  readonly defaultPolicy: string;
  /** Parsed only when asked: an unchanged body is never parsed. Throws a ConsulError on garbage. */
  json(): unknown;
}

export type QueryParameters = Readonly<Record<string, string>>;

export interface AskOptions {
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** What the watch engine needs of a transport. */
export interface ConsulAsk {
  ask(path: string, query: QueryParameters, options: AskOptions): Promise<ConsulAnswer>;
}

/** GETs on Consul's HTTP API over kept-alive connections, with failover, bounds, and errors that say what to do. */
export class ConsulHttp implements ConsulAsk {
  readonly #pools: readonly { readonly address: string; readonly pool: Pool }[];
  readonly #token: () => string | undefined;
  readonly #scope: QueryParameters;
  readonly #maxBodyBytes: number;
  #preferred = 0;

  constructor(options: ConsulHttpOptions) {
    if (options.addresses.length === 0) throw new Error('no Consul address given; set CONSUL_HTTP_ADDR or --consul');
    const nowMs = options.nowMs ?? (() => performance.now());
    this.#token = tokenSource(options, nowMs);
    this.#scope = scopeParameters(options);
    const isSecure = options.addresses.some((address) => address.startsWith('https:'));
    const connect = isSecure
      ? tlsConnector(options.tls ?? {}, CONNECT_TIMEOUT_MS, nowMs)
      : { timeout: CONNECT_TIMEOUT_MS };
    const connections = options.maxConnections ?? DEFAULT_MAX_CONNECTIONS;
    this.#pools = options.addresses.map((address) => ({
      address,
      pool: new Pool(originOf(address), { connections, pipelining: 1, connect }),
    }));
    this.#maxBodyBytes = options.maxBodyBytes ?? DEFAULT_MAX_BODY_BYTES;
  }

  /** The address that answers at present. */
  get address(): string {
    return this.#pools[this.#preferred]?.address ?? '';
  }

  /** Addresses that are wanted more than the one that is asked at present, most wanted first. */
  get moreWanted(): readonly string[] {
    return this.#pools.slice(0, this.#preferred).map(({ address }) => address);
  }

  /** The server asked so far is in trouble that no answer has shown (it hangs): the next question goes to the next one. */
  preferAnother(): void {
    this.#preferred = (this.#preferred + 1) % this.#pools.length;
  }

  /** From now on this one is asked first. */
  prefer(wanted: string): void {
    const at = this.#pools.findIndex(({ address }) => address === wanted);
    if (at >= 0) this.#preferred = at;
  }

  /** Asks one address and no other. */
  async askAt(address: string, path: string, options: AskOptions): Promise<ConsulAnswer> {
    const server = this.#pools.find((candidate) => candidate.address === address);
    if (server === undefined) throw new Error(`${address} is no address of this Consul`);
    return this.#askOne(server.pool, `${address}${path}`, path, {}, options);
  }

  /** Asks the server that answered last; one that cannot be reached or has no leader hands over to the next, once round. */
  async ask(path: string, query: QueryParameters, options: AskOptions): Promise<ConsulAnswer> {
    let lastError: unknown;
    for (let tried = 0; tried < this.#pools.length; tried += 1) {
      const at = this.#preferred;
      const server = this.#pools[at];
      if (server === undefined) break;
      try {
        return await this.#askOne(server.pool, `${server.address}${path}`, path, query, options);
      } catch (error) {
        lastError = error;
        if (options.signal?.aborted === true || !worthAnotherServer(error)) throw error;
        if (this.#preferred === at) this.preferAnother();
      }
    }
    throw lastError;
  }

  async close(): Promise<void> {
    await Promise.all(this.#pools.map(({ pool }) => pool.destroy()));
  }

  async #askOne(
    pool: Pool,
    where: string,
    path: string,
    query: QueryParameters,
    options: AskOptions,
  ): Promise<ConsulAnswer> {
    const deadline = AbortSignal.timeout(Math.ceil(options.deadlineMs));
    const signal = options.signal === undefined ? deadline : AbortSignal.any([options.signal, deadline]);
    const search = new URLSearchParams({ ...this.#scope, ...query }).toString();
    const token = this.#token();
    try {
      const response = await pool.request({
        method: 'GET',
        path: search === '' ? path : `${path}?${search}`,
        headers: { accept: 'application/json', ...(token === undefined ? {} : { 'x-consul-token': token }) },
        signal,
        // The deadline above covers the exchange as a whole; undici's own timers would cut a long wait short.
        headersTimeout: 0,
        bodyTimeout: 0,
      });
      const body = await readBounded(response.body, this.#maxBodyBytes, where);
      return toAnswer(where, response, body);
    } catch (error) {
      if (error instanceof ConsulError) throw error;
      if (deadline.aborted) {
        throw new ConsulError(
          { kind: 'deadline' },
          `${where}: no answer within ${Math.ceil(options.deadlineMs)} ms; is the Consul agent hung?`,
        );
      }
      throw unreachableError(where, error);
    }
  }
}

function originOf(address: string): string {
  const isUsable = /^https?:/.test(address) && URL.canParse(address) && new URL(address).pathname === '/';
  if (isUsable) return new URL(address).origin;
  throw new Error(`Consul address "${address}" is no base URL; write it like http://127.0.0.1:8500`);
}

async function readBounded(
  body: Dispatcher.ResponseData['body'],
  maxBodyBytes: number,
  where: string,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxBodyBytes) {
      body.destroy();
      throw new ConsulError({ kind: 'tooLarge' }, `${where}: the answer is larger than ${maxBodyBytes} bytes`);
    }
    chunks.push(chunk);
  }
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, length);
}

function toAnswer(where: string, response: Dispatcher.ResponseData, body: Buffer): ConsulAnswer {
  const { headers, statusCode } = response;
  if (statusCode !== 200) throw statusError(where, statusCode, body.toString('utf8'), single(headers['retry-after']));
  const isStreamed = single(headers['x-consul-query-backend']) === 'streaming';
  // An agent's stream of events knows no leader and says "false" always.
  if (!isStreamed && single(headers['x-consul-knownleader']) === 'false') {
    throw new ConsulError({ kind: 'noLeader' }, `${where}: the Consul servers have no leader`);
  }
  return {
    index: parseIndex(single(headers['x-consul-index'])),
    bodyHash: createHash('sha1').update(body).digest('base64'),
    isFilteredByAcls: single(headers['x-consul-results-filtered-by-acls']) === 'true',
    isStreamed,
    defaultPolicy: single(headers['x-consul-default-acl-policy']) ?? '',
    lastContactMs: Number(single(headers['x-consul-lastcontact']) ?? 0) || 0,
    json: () => parseJson(where, body),
  };
}

function parseJson(where: string, body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (error) {
    throw new ConsulError({ kind: 'garbage' }, `${where}: the answer is no JSON (${body.length} bytes)`, error);
  }
}

/** Consul counts in 64 bits. Anything but digits is treated as no index at all. */
function parseIndex(text: string | undefined): bigint | undefined {
  return text !== undefined && /^\d{1,20}$/.test(text) ? BigInt(text) : undefined;
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

/** A refusal (403, 429, 400) would be the same elsewhere; a dead, hung or leaderless server would not. */
function worthAnotherServer(error: unknown): boolean {
  if (!(error instanceof ConsulError)) return false;
  const { failure } = error;
  return (
    failure.kind === 'unreachable' ||
    failure.kind === 'noLeader' ||
    (failure.kind === 'status' && failure.status >= 500)
  );
}
