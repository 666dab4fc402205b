import { decodeFileOrInline } from './data-source-decode.ts';
import type { JsonWebKey, JwtKeySource } from './jwt-authn.ts';
import type { MessageReader } from './message-reader.ts';
import { isPlainObject } from './struct-json.ts';

const MAX_KEYS = 100;
const KEY_TYPES: ReadonlySet<string> = new Set(['RSA', 'EC', 'OKP', 'oct']);
/** What verifying takes. Private halves and what others may do with a key are left behind. */
const MEMBERS = ['kty', 'kid', 'alg', 'crv', 'x', 'y', 'n', 'e', 'k'] as const;

/** `local_jwks`: a JSON Web Key Set (RFC 7517 §5), inline or in a file. Keys of kinds that verify nothing are passed over. */
export function decodeLocalJwks(reader: MessageReader | undefined): JwtKeySource {
  const source = decodeFileOrInline(reader);
  if (source?.kind === 'file') return source;
  const keys = source === undefined ? [] : jsonWebKeysIn(source.text);
  if (typeof keys !== 'string') return { kind: 'local', keys };
  reader?.fault('', keys);
  return { kind: 'local', keys: [] };
}

const DEFAULT_TIMEOUT_MS = 5_000;
const DEFAULT_CACHE_DURATION_MS = 600_000;

/** `remote_jwks`. When keys are fetched ahead, and how often it is tried again, only tunes and is read past. */
export function decodeRemoteJwks(reader: MessageReader): JwtKeySource {
  const http = reader.requiredMessage('http_uri');
  const uri = http?.requiredString('uri') ?? '';
  const url = /^https?:\/\//.test(uri) ? URL.parse(uri) : null;
  if (url === null) http?.fault('uri', `${JSON.stringify(uri)} must be an http or https URL`);
  return {
    kind: 'remote',
    clusterName: http?.requiredString('cluster') ?? '',
    authority: url?.host ?? '',
    path: url === null ? '/' : `${url.pathname}${url.search}`,
    // Consul sends 0s where nothing is configured.
    timeoutMs: http?.durationMs('timeout') || DEFAULT_TIMEOUT_MS,
    cacheDurationMs: reader.durationMs('cache_duration') ?? DEFAULT_CACHE_DURATION_MS,
  };
}

/** The keys of a set, or what is wrong with it. */
export function jsonWebKeysIn(text: string): readonly JsonWebKey[] | string {
  let set: unknown;
  try {
    set = JSON.parse(text);
  } catch {
    return 'Jwks is an invalid JSON';
  }
  const listed = isPlainObject(set) ? set['keys'] : undefined;
  if (!Array.isArray(listed)) return 'Jwks must have a list of [keys]';
  if (listed.length > MAX_KEYS) return `Jwks must have at most ${MAX_KEYS} keys, not ${listed.length}`;
  const keys = listed.flatMap(keyOf);
  return keys.length > 0 ? keys : "Jwks doesn't have any valid public key";
}

/** What is wrong with a set, undefined for nothing. */
export function keySetFault(text: string): string | undefined {
  const keys = jsonWebKeysIn(text);
  return typeof keys === 'string' ? keys : undefined;
}

function keyOf(listed: unknown): readonly JsonWebKey[] {
  if (!isPlainObject(listed) || listed['use'] === 'enc') return [];
  const { kty } = listed;
  if (typeof kty !== 'string' || !KEY_TYPES.has(kty)) return [];
  const members: Record<string, string> = {};
  for (const name of MEMBERS) {
    const value = listed[name];
    if (typeof value === 'string') members[name] = value;
  }
  return [{ ...members, kty }];
}
