/** `/v1/kv/…` and `/v1/session/…`: keys, and the locks on them. */

import { parseGoDurationMs } from '../../base/go-duration.ts';
import { ApiError } from '../api-error.ts';
import { textField } from '../input/fields.ts';
import { isJsonObject } from '../input/shape.ts';
import { keyTopic } from '../state/key-values.ts';
import type { RegistryState } from '../state/registry-state.ts';
import {
  type Answer,
  type ApiRequest,
  type IndexedQuery,
  indexParameter,
  jsonBody,
  parameter,
  type Route,
} from './exchange.ts';

export const MAX_VALUE_BYTES = 524_288;
const MAX_KEYS = 100_000;

export function kvRoutes(state: RegistryState): Route[] {
  return [
    { methods: ['GET'], path: '/v1/kv/:key*', endpoint: (request) => get(state, request) },
    { methods: ['PUT'], path: '/v1/kv/:key*', endpoint: (request) => put(state, request) },
    { methods: ['DELETE'], path: '/v1/kv/:key*', endpoint: (request) => remove(state, request) },
    { methods: ['PUT'], path: '/v1/session/create', endpoint: (request) => createSession(state, request) },
    { methods: ['PUT'], path: '/v1/session/destroy/:id', endpoint: (request) => destroySession(state, request) },
    { methods: ['PUT'], path: '/v1/session/renew/:id', endpoint: (request) => renewSession(state, request) },
    { methods: ['GET'], path: '/v1/session/info/:id', endpoint: (request) => sessionInfo(state, request) },
    { methods: ['GET'], path: '/v1/session/list', endpoint: () => sessionList(state) },
    {
      methods: ['GET'],
      path: '/v1/session/node/:node',
      endpoint: (request) => sessionList(state, parameter(request, 0)),
    },
  ];
}

function get(state: RegistryState, request: ApiRequest): IndexedQuery {
  const key = parameter(request, 0);
  if (request.query.has('keys')) return listKeys(state, request, key);
  if (request.query.has('recurse')) {
    return {
      kind: 'indexed',
      topics: ['kv'],
      index: () => state.keyValues.prefixIndex(key),
      answer: () => {
        const rows = state.keyValues.list(key);
        return rows.length === 0 ? { status: 404 } : { json: rows };
      },
    };
  }
  if (key === '') throw new ApiError(400, 'Missing key name');
  return {
    kind: 'indexed',
    topics: [keyTopic(key)],
    answer: () => {
      const row = state.keyValues.get(key);
      if (row === undefined) return { status: 404 };
      if (!request.query.has('raw')) return { json: [row] };
      return {
        raw: Buffer.from(row.Value ?? '', 'base64'),
        headers: {
          'content-type': 'text/plain',
          'x-content-type-options': 'nosniff',
          'content-security-policy': 'sandbox',
        },
      };
    },
  };
}

function listKeys(state: RegistryState, request: ApiRequest, prefix: string): IndexedQuery {
  // Consul takes the old misspelling too.
  const separator = request.query.get('separator') ?? request.query.get('seperator') ?? '';
  return {
    kind: 'indexed',
    topics: ['kv'],
    index: () => state.keyValues.prefixIndex(prefix),
    answer: () => {
      const keys = state.keyValues.list(prefix).map((row) => cutAt(row.Key, prefix.length, separator));
      if (keys.length === 0 && prefix !== '') return { status: 404 };
      return { json: [...new Set(keys)] };
    },
  };
}

function cutAt(key: string, from: number, separator: string): string {
  if (separator === '') return key;
  const at = key.indexOf(separator, from);
  return at < 0 ? key : key.slice(0, at + separator.length);
}

function put(state: RegistryState, request: ApiRequest): Answer {
  const key = parameter(request, 0);
  if (key === '') throw new ApiError(400, 'Missing key name');
  refuseConflicts(request, ['cas', 'acquire', 'release']);
  if (request.body.length > MAX_VALUE_BYTES) {
    throw new ApiError(
      413,
      `Request body(${request.body.length} bytes) too large, max size: ${MAX_VALUE_BYTES} bytes. See https://developer.hashicorp.com/docs/agent/config/config-files#kv_max_value_size.`,
    );
  }
  if (state.keyValues.size >= MAX_KEYS && state.keyValues.get(key) === undefined) {
    throw new ApiError(500, `this agent holds ${MAX_KEYS} keys already; delete some first`);
  }
  const write = { key, value: request.body, flags: indexParameter(request, 'flags') ?? 0 };
  const acquire = request.query.get('acquire');
  const release = request.query.get('release');
  if (acquire !== null) {
    if (state.sessions.get(acquire) === undefined)
      throw new ApiError(500, `raft apply failed: invalid session ${JSON.stringify(acquire)}`);
    return { json: state.keyValues.acquire(write, acquire) };
  }
  if (release !== null) return { json: state.keyValues.release(write, release) };
  return { json: state.keyValues.set(write, indexParameter(request, 'cas')) };
}

function remove(state: RegistryState, request: ApiRequest): Answer {
  const key = parameter(request, 0);
  refuseConflicts(request, ['recurse', 'cas']);
  if (request.query.has('recurse')) {
    state.keyValues.deleteTree(key);
    return { json: true };
  }
  if (key === '') throw new ApiError(400, 'Missing key name');
  return { json: state.keyValues.delete(key, indexParameter(request, 'cas')) };
}

function refuseConflicts(request: ApiRequest, flags: readonly string[]): void {
  if (flags.filter((flag) => request.query.has(flag)).length > 1) {
    const sorted = new URLSearchParams(request.query);
    sorted.sort();
    throw new ApiError(400, `Conflicting flags: ${sorted.toString()}\n`);
  }
}

/** Consul's bounds for a session's TTL. */
const MIN_TTL_MS = 10_000;
const MAX_TTL_MS = 86_400_000;

function createSession(state: RegistryState, request: ApiRequest): Answer {
  const body = request.body.length === 0 ? {} : jsonBody(request);
  if (!isJsonObject(body)) throw new ApiError(400, 'Request decode failed: the document must be a JSON object');
  const behavior = textField(body, 'Behavior') || 'release';
  if (behavior !== 'release' && behavior !== 'delete') {
    throw new ApiError(500, `Invalid Behavior setting '${behavior}'`);
  }
  const ttlText = textField(body, 'TTL');
  const ttlMs = ttlText === '' ? 0 : parseGoDurationMs(ttlText);
  if (ttlMs === undefined)
    throw new ApiError(500, `Session TTL '${ttlText}' invalid: time: invalid duration ${JSON.stringify(ttlText)}`);
  if (ttlMs !== 0 && (ttlMs < MIN_TTL_MS || ttlMs > MAX_TTL_MS)) {
    // Consul says it in nanoseconds.
    throw new ApiError(500, `Invalid Session TTL '${ttlMs * 1_000_000}', must be between [10s=24h0m0s]`);
  }
  const node = textField(body, 'Node') || state.nodeName;
  const row = state.sessions.create({ name: textField(body, 'Name'), node, behavior, ttlText, ttlMs });
  return { json: { ID: row.ID } };
}

function destroySession(state: RegistryState, request: ApiRequest): Answer {
  state.sessions.destroy(parameter(request, 0));
  return { json: true };
}

function renewSession(state: RegistryState, request: ApiRequest): Answer {
  const row = state.sessions.renew(parameter(request, 0));
  if (row === undefined) return { status: 404, text: `Session id '${parameter(request, 0)}' not found` };
  return { json: [row] };
}

function sessionInfo(state: RegistryState, request: ApiRequest): IndexedQuery {
  return {
    kind: 'indexed',
    topics: ['sessions'],
    answer: () => ({ json: [state.sessions.get(parameter(request, 0)) ?? []].flat() }),
  };
}

function sessionList(state: RegistryState, node?: string): IndexedQuery {
  return {
    kind: 'indexed',
    topics: ['sessions'],
    answer: () => ({ json: state.sessions.list().filter((row) => node === undefined || row.Node === node) }),
  };
}
