import {
  type ClientIdentity,
  type DiscoveryResponse,
  decodeDeltaResponse,
  encodeDeltaRequest,
} from '../discovery-codec.ts';
import { type DeltaRequest, WILDCARD_NAME } from '../discovery-requests.ts';
import { type Exchange, errorDetailOf } from './exchange.ts';
import type { TypeLedger } from './type-ledger.ts';

/** Delta: requests say what changed in the subscription; the first of a type says what is still held from before. */
export class DeltaExchange implements Exchange {
  readonly #ledgers: ReadonlyMap<string, TypeLedger<unknown>>;
  readonly #send: (bytes: Buffer) => void;
  /** Names each type is subscribed to on this stream; a type is here once its first request was sent. */
  readonly #subscribed = new Map<string, ReadonlySet<string>>();
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
    for (const typeUrl of this.#ledgers.keys()) this.onWantedChanged(typeUrl);
  }

  onWantedChanged(typeUrl: string): void {
    const ledger = this.#ledgers.get(typeUrl);
    if (ledger === undefined) return;
    const before = this.#subscribed.get(typeUrl);
    const names = namesOf(ledger);
    if (before === undefined) {
      if (names.size === 0) return;
      this.#subscribed.set(typeUrl, names);
      // An empty first request is the wildcard that every server knows; the explicit one is younger.
      const subscribe = ledger.wanted === 'everything' ? [] : [...names];
      const held = [...ledger.held.values()].map(({ name, version }): [string, string] => [name, version]);
      this.#request({ typeUrl, subscribe, initialResourceVersions: new Map(held) });
      return;
    }
    const subscribe = [...names].filter((name) => !before.has(name));
    const unsubscribe = [...before].filter((name) => !names.has(name));
    this.#subscribed.set(typeUrl, names);
    if (subscribe.length > 0 || unsubscribe.length > 0) this.#request({ typeUrl, subscribe, unsubscribe });
  }

  /** A server counts every request in delta, and says itself what does not exist: asking again has nothing to add. */
  askAgain(): void {}

  decode(bytes: Buffer): DiscoveryResponse {
    return decodeDeltaResponse(bytes);
  }

  scopeOf(): 'partial' {
    return 'partial';
  }

  answer(response: DiscoveryResponse, faults: readonly string[]): void {
    this.#request({ typeUrl: response.typeUrl, responseNonce: response.nonce, errorDetail: errorDetailOf(faults) });
  }

  #request(request: Partial<DeltaRequest> & { readonly typeUrl: string }): void {
    const { typeUrl, subscribe = [], unsubscribe = [], initialResourceVersions = new Map() } = request;
    const { responseNonce = '', errorDetail } = request;
    const identity = this.#identity;
    this.#identity = undefined;
    const whole = { typeUrl, subscribe, unsubscribe, initialResourceVersions, responseNonce, errorDetail };
    this.#send(encodeDeltaRequest(whole, identity));
  }
}

function namesOf(ledger: TypeLedger<unknown>): ReadonlySet<string> {
  if (typeof ledger.wanted !== 'string') return ledger.wanted;
  return new Set(ledger.wanted === 'everything' ? [WILDCARD_NAME] : []);
}
