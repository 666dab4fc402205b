import { createHash } from 'node:crypto';
import type { Random } from '../../base/random.ts';
import type { RequestHead, ResponseHead } from '../../http/head.ts';
import type { HeaderEdits } from '../../http/header-edits.ts';
import type { HeaderFields } from '../../http/header-fields.ts';

const KEY = 'sec-websocket-key';
/** RFC 6455 §1.3. */
const PROOF_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const KEY_WORDS = 4;
const WORD_BYTES = 4;

/** Fields of another head and one more behind them. */
class ExtendedFields implements HeaderFields {
  readonly #fields: HeaderFields;
  readonly #name: string;
  readonly #value: string;

  constructor(fields: HeaderFields, name: string, value: string) {
    this.#fields = fields;
    this.#name = name;
    this.#value = value;
  }

  get count(): number {
    return this.#fields.count + 1;
  }

  nameAt(index: number): string {
    return index === this.#fields.count ? this.#name : this.#fields.nameAt(index);
  }

  valueAt(index: number): string {
    return index === this.#fields.count ? this.#value : this.#fields.valueAt(index);
  }

  indexOf(name: string, from = 0): number {
    const index = this.#fields.indexOf(name, from);
    if (index >= 0) return index;
    return name === this.#name && from <= this.#fields.count ? this.#fields.count : -1;
  }

  get(name: string): string | undefined {
    const index = this.indexOf(name);
    return index < 0 ? undefined : this.valueAt(index);
  }

  isHopByHop(index: number): boolean {
    return index < this.#fields.count && this.#fields.isHopByHop(index);
  }
}

/**
 * An extended CONNECT (RFC 8441) as the HTTP/1.1 upgrade it means: a GET without a body, whose tunnel begins with the answer.
 * A WebSocket gets the key that HTTP/2 has no use for.
 */
export function upgradeHead(head: RequestHead, random: Random): RequestHead {
  const needsKey = head.upgrade === 'websocket' && head.fields.indexOf(KEY) < 0;
  const { version, method, scheme, authority, path, upgrade, expectContinue } = head;
  const fields = needsKey ? new ExtendedFields(head.fields, KEY, websocketKey(random)) : head.fields;
  return { version, method, scheme, authority, path, upgrade, expectContinue, fields, bodyLength: 0 };
}

/** RFC 8441 §5: the proof that answers the key means nothing in HTTP/2. */
export function removeUpgradeProof(head: ResponseHead, edits: HeaderEdits): void {
  edits.remove(head.fields, 'sec-websocket-accept');
}

/**
 * What an HTTP/1.1 client's key must be answered with (RFC 6455 §4.2.2), where its upgrade went on as an extended CONNECT: the
 * HTTP/2 host has seen no key.
 */
export function addUpgradeProof(request: RequestHead, response: ResponseHead, edits: HeaderEdits): void {
  if (response.version !== 20 || request.upgrade !== 'websocket') return;
  const key = request.fields.get(KEY);
  if (key === undefined) return;
  const proof = createHash('sha1').update(`${key}${PROOF_GUID}`, 'latin1').digest('base64');
  edits.set(response.fields, 'sec-websocket-accept', proof);
}

function websocketKey(random: Random): string {
  const bytes = Buffer.alloc(KEY_WORDS * WORD_BYTES);
  for (let word = 0; word < KEY_WORDS; word++) bytes.writeUInt32BE(random.uint32(), word * WORD_BYTES);
  return bytes.toString('base64');
}
