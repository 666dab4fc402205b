import { createHash } from 'node:crypto';
import { type Fault, faultsText } from '../../resource/fault.ts';
import { buildMessage } from '../../resource/strict-builder.ts';
import { CLUSTER_TYPE } from '../../resource/type-url.ts';
import { type EncodedResource, encodedResource } from '../../xds/server/server.ts';
import type { ResourceLiteral } from './resource-literal.ts';

/** Encoded forms kept at most; beyond it the least recently used are encoded again when they are wanted. */
const MAX_KEPT = 50_000;
const TYPE_URL_PREFIX = 'type.googleapis.com/';

export type EncodeResult =
  | { readonly ok: true; readonly resource: EncodedResource }
  | { readonly ok: false; readonly message: string };

/** Literals to bytes, once per content: proxies that hold the same cluster share one buffer. */
export class ResourceEncoder {
  readonly #kept = new Map<string, EncodedResource>();
  readonly counters = { encoded: 0, reused: 0, refused: 0 };

  encode(literal: ResourceLiteral): EncodeResult {
    const key = `${literal.typeUrl}\0${JSON.stringify(literal.json)}`;
    const kept = this.#kept.get(key);
    if (kept !== undefined) {
      this.counters.reused += 1;
      this.#kept.delete(key);
      this.#kept.set(key, kept);
      return { ok: true, resource: kept };
    }
    const built = buildMessage(literal.typeUrl.slice(TYPE_URL_PREFIX.length), literal.json);
    if (!built.ok) return this.#refuse(literal, built.faults);
    const resource = toResource(literal, built.value);
    this.counters.encoded += 1;
    this.#keep(key, resource);
    return { ok: true, resource };
  }

  #refuse(literal: ResourceLiteral, faults: readonly Fault[]): EncodeResult {
    this.counters.refused += 1;
    return { ok: false, message: faultsText(literal.name, faults) };
  }

  #keep(key: string, resource: EncodedResource): void {
    this.#kept.set(key, resource);
    if (this.#kept.size <= MAX_KEPT) return;
    const [oldest] = this.#kept.keys();
    if (oldest !== undefined) this.#kept.delete(oldest);
  }
}

/** The version is a digest of the bytes, so that equal content has an equal version at every control server. */
function toResource({ typeUrl, name, json }: ResourceLiteral, bytes: Uint8Array): EncodedResource {
  const message = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = createHash('sha256').update(message).digest('hex').slice(0, 16);
  const assignmentName = typeUrl === CLUSTER_TYPE ? serviceNameOf(json) : undefined;
  return encodedResource({
    typeUrl,
    name,
    version,
    message,
    ...(assignmentName === undefined ? {} : { assignmentName }),
  });
}

function serviceNameOf(json: ResourceLiteral['json']): string | undefined {
  const eds = json['edsClusterConfig'];
  if (typeof eds !== 'object' || eds === null || !('serviceName' in eds)) return undefined;
  return typeof eds.serviceName === 'string' ? eds.serviceName : undefined;
}
