import { hash } from 'node:crypto';
import { type Fault, faultsText } from '../../resource/fault.ts';
import { buildMessage } from '../../resource/strict-builder.ts';
import { CLUSTER_TYPE } from '../../resource/type-url.ts';
import { type EncodedResource, encodedResource } from '../../xds/server/server.ts';
import type { ResourceLiteral } from './resource-literal.ts';

/** Bytes of encoded forms kept at most; beyond it the least recently used are encoded again when they are wanted. */
const MAX_KEPT_BYTES = 64 * 1024 * 1024;
/** What one kept form costs beside its bytes, roughly: a small message is not free. */
const KEPT_OVERHEAD_BYTES = 1_024;
const TYPE_URL_PREFIX = 'type.googleapis.com/';

export type EncodeResult =
  | { readonly ok: true; readonly resource: EncodedResource }
  | { readonly ok: false; readonly message: string };

interface Kept {
  readonly literal: ResourceLiteral;
  readonly resource: EncodedResource;
}

/** What is said of every resource, whoever made it. */
export interface ResourceTerms {
  /** Clients that know of it drop what they have not heard of for so long. */
  readonly ttlMs?: number | undefined;
  /** Clients report to this server what they send to each cluster. */
  readonly reportsLoads?: boolean | undefined;
}

/** Literals to bytes, once per content: proxies that hold the same cluster share one buffer, and one literal. */
export class ResourceEncoder {
  readonly #kept = new Map<string, Kept>();
  /** Literals that were shared need not be looked into again. */
  readonly #known = new WeakMap<ResourceLiteral, EncodedResource>();
  readonly #terms: ResourceTerms;
  #keptBytes = 0;
  readonly counters = { encoded: 0, reused: 0, refused: 0 };

  constructor(terms: ResourceTerms = {}) {
    this.#terms = terms;
  }

  encode(literal: ResourceLiteral): EncodeResult {
    const known = this.#known.get(literal);
    if (known !== undefined) {
      this.counters.reused += 1;
      return { ok: true, resource: known };
    }
    const kept = this.#keep(literal);
    return 'literal' in kept ? { ok: true, resource: kept.resource } : kept;
  }

  /** The literal of this content that all share, so that a thousand proxies do not keep a thousand copies; a faulty one stays itself. */
  share(literal: ResourceLiteral): ResourceLiteral {
    if (this.#known.has(literal)) return literal;
    const kept = this.#keep(literal);
    return 'literal' in kept ? kept.literal : literal;
  }

  /** Encodes what changes too often to be worth keeping. */
  encodeAnew(literal: ResourceLiteral): EncodeResult {
    const reports = this.#terms.reportsLoads === true && literal.typeUrl === CLUSTER_TYPE;
    const json = reports ? { ...literal.json, lrsServer: { self: {} } } : literal.json;
    const built = buildMessage(literal.typeUrl.slice(TYPE_URL_PREFIX.length), json);
    if (!built.ok) return this.#refuse(literal, built.faults);
    this.counters.encoded += 1;
    return { ok: true, resource: toResource(literal, built.value, this.#terms.ttlMs) };
  }

  #keep(literal: ResourceLiteral): Kept | Extract<EncodeResult, { ok: false }> {
    // A digest, because the text of every resource would take more memory than the resources.
    const key = hash('sha256', `${literal.typeUrl}\0${JSON.stringify(literal.json)}`, 'base64');
    const kept = this.#kept.get(key);
    if (kept !== undefined) {
      this.counters.reused += 1;
      this.#kept.delete(key);
      this.#kept.set(key, kept);
      return kept;
    }
    const encoded = this.encodeAnew(literal);
    if (!encoded.ok) return encoded;
    const { resource } = encoded;
    const added = { literal, resource };
    this.#kept.set(key, added);
    this.#known.set(literal, resource);
    this.#keptBytes += costOf(added);
    this.#makeRoom();
    return added;
  }

  #refuse(literal: ResourceLiteral, faults: readonly Fault[]): EncodeResult {
    this.counters.refused += 1;
    return { ok: false, message: faultsText(literal.name, faults) };
  }

  #makeRoom(): void {
    for (const [key, kept] of this.#kept) {
      if (this.#keptBytes <= MAX_KEPT_BYTES) return;
      this.#kept.delete(key);
      this.#keptBytes -= costOf(kept);
    }
  }
}

function costOf({ resource }: Kept): number {
  return resource.wrapped.length + KEPT_OVERHEAD_BYTES;
}

/** The version is a digest of the bytes, so that equal content has an equal version at every control server. */
function toResource(
  { typeUrl, name, json }: ResourceLiteral,
  bytes: Uint8Array,
  ttlMs: number | undefined,
): EncodedResource {
  const message = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = hash('sha256', message).slice(0, 16);
  const assignmentName = typeUrl === CLUSTER_TYPE ? serviceNameOf(json) : undefined;
  return encodedResource({
    typeUrl,
    name,
    version,
    message,
    ...(ttlMs === undefined ? {} : { ttlMs }),
    ...(assignmentName === undefined ? {} : { assignmentName }),
  });
}

function serviceNameOf(json: ResourceLiteral['json']): string | undefined {
  const eds = json['edsClusterConfig'];
  if (typeof eds !== 'object' || eds === null || !('serviceName' in eds)) return undefined;
  return typeof eds.serviceName === 'string' ? eds.serviceName : undefined;
}
