import { RESOURCE_TYPES } from '../resource/type-url.ts';
import type { DeltaRequest } from './discovery-requests.ts';

/** DeltaDiscoveryRequest: `type_url = 2`, `response_nonce = 6`, both strings. */
const TYPE_URL_TAG = (2 << 3) | 2;
const RESPONSE_NONCE_TAG = (6 << 3) | 2;
/** Lengths of one varint byte; who sends longer ones is read in the long way. */
const MAX_SHORT_LENGTH = 0x7f;
const MAX_ANSWER_BYTES = 2 * (2 + MAX_SHORT_LENGTH);

const KNOWN_TYPES = RESOURCE_TYPES.map((typeUrl) => ({ typeUrl, bytes: Buffer.from(typeUrl) }));
const NO_NAMES: readonly string[] = [];
const NO_VERSIONS: ReadonlyMap<string, string> = new Map();

/**
 * Reads a delta request that is an ACK and nothing else (a type of ours, then the nonce), which nearly every request is: one for each push to
 * each stream. Undefined for any other bytes, also for those that mean the same in another form; the protobuf library reads them.
 */
export function plainDeltaAnswer(bytes: Buffer): DeltaRequest | undefined {
  const { length } = bytes;
  if (length > MAX_ANSWER_BYTES || bytes[0] !== TYPE_URL_TAG) return undefined;
  const typeLength = bytes[1] ?? 0;
  const typeEnd = 2 + typeLength;
  const nonceStart = typeEnd + 2;
  if (typeLength > MAX_SHORT_LENGTH || bytes[typeEnd] !== RESPONSE_NONCE_TAG) return undefined;
  const nonceLength = bytes[typeEnd + 1] ?? 0;
  if (nonceLength === 0 || nonceLength > MAX_SHORT_LENGTH || nonceStart + nonceLength !== length) return undefined;
  const typeUrl = knownType(bytes, 2, typeEnd);
  const responseNonce = asciiText(bytes, nonceStart);
  if (typeUrl === undefined || responseNonce === undefined) return undefined;
  return {
    typeUrl,
    node: undefined,
    subscribe: NO_NAMES,
    unsubscribe: NO_NAMES,
    initialResourceVersions: NO_VERSIONS,
    responseNonce,
    errorDetail: undefined,
  };
}

function knownType(bytes: Buffer, start: number, end: number): string | undefined {
  for (const { typeUrl, bytes: known } of KNOWN_TYPES) {
    if (known.length === end - start && known.compare(bytes, start, end) === 0) return typeUrl;
  }
  return undefined;
}

/** Anything but ASCII is for the protobuf library to judge. */
function asciiText(bytes: Buffer, start: number): string | undefined {
  for (let at = start; at < bytes.length; at += 1) if ((bytes[at] ?? 0) > 0x7f) return undefined;
  return bytes.toString('latin1', start);
}
