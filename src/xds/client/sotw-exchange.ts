import { CLUSTER_TYPE, LISTENER_TYPE } from '../../resource/type-url.ts';
import {
  type ClientIdentity,
  type DiscoveryResponse,
  decodeSotwResponse,
  encodeSotwRequest,
} from '../discovery-codec.ts';
import { WILDCARD_NAME } from '../discovery-requests.ts';
import { type Exchange, errorDetailOf } from './exchange.ts';
import type { TypeLedger, Wanted } from './type-ledger.ts';

/** What is remembered of one type on one stream. */
interface TypeProgress {
  /** Of the last response; empty before the first one. */
  nonce: string;
  /** Of the last response that was accepted as a whole. */
  acceptedVersion: string;
  /** Once names were sent, an empty list no longer means everything. */
  hasNamed: boolean;
}

/** SotW: every request names the whole subscription, and an empty list for LDS and CDS means everything. */
export class SotwExchange implements Exchange {
  readonly #ledgers: ReadonlyMap<string, TypeLedger<unknown>>;
  readonly #send: (bytes: Buffer) => void;
  readonly #progress = new Map<string, TypeProgress>();
  #identity: ClientIdentity | undefined;

  constructor(
    ledgers: ReadonlyMap<string, TypeLedger<unknown>>,
    identity: ClientIdentity,
    send: (bytes: Buffer) => void,
  ) {
    this.#ledgers = ledgers;
    this.#identity = identity;
    this.#send = send;
  }

  start(): void {
    for (const ledger of this.#ledgers.values()) if (ledger.wanted !== 'nothing') this.#request(ledger, undefined);
  }

  onWantedChanged(typeUrl: string): void {
    const ledger = this.#ledgers.get(typeUrl);
    if (ledger !== undefined) this.#request(ledger, undefined);
  }

  /**
   * A request that crosses a response carries a stale nonce and is ignored, so a name that was dropped and wanted again in that moment
   * looks to the server as if it had been there all along. Leaving it out once makes it new.
   */
  askAgain(typeUrl: string, name: string): void {
    const ledger = this.#ledgers.get(typeUrl);
    if (ledger === undefined || typeof ledger.wanted === 'string' || !ledger.wanted.has(name)) return;
    const others = new Set(ledger.wanted);
    others.delete(name);
    this.#send(this.#encode(ledger, [...others], undefined));
    this.#request(ledger, undefined);
  }

  decode(bytes: Buffer): DiscoveryResponse {
    return decodeSotwResponse(bytes);
  }

  scopeOf(typeUrl: string): 'complete' | 'partial' {
    return typeUrl === LISTENER_TYPE || typeUrl === CLUSTER_TYPE ? 'complete' : 'partial';
  }

  answer(response: DiscoveryResponse, faults: readonly string[]): void {
    const ledger = this.#ledgers.get(response.typeUrl);
    if (ledger === undefined) return;
    const progress = this.#progressOf(ledger);
    progress.nonce = response.nonce;
    if (faults.length === 0) progress.acceptedVersion = response.version;
    this.#request(ledger, errorDetailOf(faults));
  }

  #request(ledger: TypeLedger<unknown>, errorDetail: string | undefined): void {
    const { wanted, typeUrl } = ledger;
    const isFirst = !this.#progress.has(typeUrl);
    // An empty first request could be read as a wildcard.
    if (isFirst && (typeof wanted === 'string' ? wanted === 'nothing' : wanted.size === 0)) return;
    const { hasNamed } = this.#progressOf(ledger);
    this.#send(this.#encode(ledger, namesToSend(wanted, hasNamed), errorDetail));
  }

  #encode(ledger: TypeLedger<unknown>, resourceNames: readonly string[], errorDetail: string | undefined): Buffer {
    const progress = this.#progressOf(ledger);
    if (resourceNames.length > 0) progress.hasNamed = true;
    const { acceptedVersion: versionInfo, nonce: responseNonce } = progress;
    const identity = this.#identity;
    this.#identity = undefined;
    const { typeUrl } = ledger;
    return encodeSotwRequest({ typeUrl, versionInfo, resourceNames, responseNonce, errorDetail }, identity);
  }

  /**
   * A new stream begins without a version even where resources are held: some servers answer a version they know with silence, also
   * when names are asked for that the version was never about.
   */
  #progressOf(ledger: TypeLedger<unknown>): TypeProgress {
    let progress = this.#progress.get(ledger.typeUrl);
    if (progress === undefined) {
      progress = { nonce: '', acceptedVersion: '', hasNamed: false };
      this.#progress.set(ledger.typeUrl, progress);
    }
    return progress;
  }
}

function namesToSend(wanted: Wanted, hasNamed: boolean): readonly string[] {
  if (typeof wanted !== 'string') return [...wanted];
  return wanted === 'everything' && hasNamed ? [WILDCARD_NAME] : [];
}
