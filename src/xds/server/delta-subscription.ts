import { type DeltaRequest, WILDCARD_NAME } from '../discovery-requests.ts';
import type { EncodedResource } from '../encoded-resource.ts';
import { type Answer, DeliveryTracker } from './delivery.ts';
import { isCompleteType, type StepScope } from './push-order.ts';
import type { TypeSnapshot } from './snapshot-source.ts';
import { MAX_PARTIAL_RESPONSE_BYTES, type Push, type TypeSubscription, type WantedNames } from './type-subscription.ts';

/** What a name stands for that the client has been told does not exist; no version of a resource equals it. */
const ABSENT = Symbol('absent');

const NO_REMOVALS = { removedNames: [], isWithheld: false } as const;

/** One type on one delta stream. Requests change the subscription by names; responses carry only differences. */
export class DeltaSubscription implements TypeSubscription<DeltaRequest> {
  readonly typeUrl: string;
  readonly delivery = new DeliveryTracker();
  readonly #names = new Set<string>();
  #characters = 0;
  #isWildcard = false;
  #isFirst = true;
  #owesAnswer = false;
  /** What the client holds: by initial_resource_versions, and by what it was sent since. */
  readonly #held = new Map<string, string | typeof ABSENT>();
  #settled: TypeSnapshot | undefined;

  constructor(typeUrl: string) {
    this.typeUrl = typeUrl;
  }

  get wanted(): WantedNames {
    return { isWildcard: this.#isWildcard, names: this.#names, characters: this.#characters };
  }

  /** Subscription changes count even on a stale nonce: unlike in SotW, they are not repeated by the next request. */
  onRequest(request: DeltaRequest): Answer {
    const answer = this.delivery.answer(request.responseNonce, request.errorDetail);
    const isFirst = this.#isFirst;
    this.#isFirst = false;
    for (const name of request.subscribe) this.#subscribe(name);
    for (const name of request.unsubscribe) this.#unsubscribe(name);
    if (isFirst) {
      if (request.subscribe.length === 0 && isCompleteType(this.typeUrl)) this.#isWildcard = true;
      for (const [name, version] of request.initialResourceVersions) {
        if (this.#isWildcard || this.#names.has(name)) this.#held.set(name, version);
      }
      this.#owesAnswer = true;
    }
    if (isFirst || request.subscribe.length > 0 || request.unsubscribe.length > 0) this.#settled = undefined;
    return answer;
  }

  #subscribe(name: string): void {
    if (name === WILDCARD_NAME) {
      if (!this.#isWildcard) this.#owesAnswer = true;
      this.#isWildcard = true;
      return;
    }
    if (!this.#names.has(name)) this.#characters += name.length;
    this.#names.add(name);
    // Asking again means the client wants to be sent it again: it may have dropped it meanwhile.
    this.#held.delete(name);
  }

  #unsubscribe(name: string): void {
    if (name === WILDCARD_NAME) {
      this.#isWildcard = false;
      for (const held of this.#held.keys()) {
        if (!this.#names.has(held)) this.#held.delete(held);
      }
      return;
    }
    const wasNamed = this.#names.delete(name);
    if (wasNamed) this.#characters -= name.length;
    const held = this.#held.get(name);
    if (this.#isWildcard && (wasNamed || held !== undefined)) {
      // The client drops it, yet the wildcard covers it: its state is due once more, there or gone.
      this.#held.set(name, '');
    } else {
      this.#held.delete(name);
    }
  }

  resend(names: Iterable<string>): void {
    for (const name of names) {
      if (typeof this.#held.get(name) !== 'string') continue;
      this.#held.set(name, '');
      this.#settled = undefined;
    }
  }

  isSettled(snapshot: TypeSnapshot): boolean {
    return this.#settled === snapshot && !this.#owesAnswer;
  }

  held(snapshot: TypeSnapshot): readonly EncodedResource[] {
    return [...this.#matching(snapshot)].filter(({ name, version }) => this.#held.get(name) === version);
  }

  heldVersion(name: string): string | undefined {
    const version = this.#held.get(name);
    return typeof version === 'string' ? version : undefined;
  }

  next(snapshot: TypeSnapshot, scope: StepScope): Push | undefined {
    if (this.isSettled(snapshot)) return undefined;
    const small = this.#smallChange(snapshot);
    const { resources, isCut } = this.#additions(small ?? this.#matching(snapshot));
    const { removedNames, isWithheld } = small === undefined ? this.#removals(snapshot, scope) : NO_REMOVALS;
    if (resources.length === 0 && removedNames.length === 0 && !this.#owesAnswer) {
      if (!isWithheld) this.#settled = snapshot;
      return undefined;
    }
    this.#owesAnswer = false;
    // Whatever the answer will be: these versions are not sent twice.
    this.#settled = isCut || isWithheld ? undefined : snapshot;
    for (const resource of resources) this.#held.set(resource.name, resource.version);
    for (const name of removedNames) {
      // A wildcard client forgets the name; one that asked by name has been told, and is told once.
      if (this.#names.has(name)) this.#held.set(name, ABSENT);
      else this.#held.delete(name);
    }
    const missingNames =
      removedNames.length === 0 ? removedNames : removedNames.filter((name) => this.#names.has(name));
    return { resources, changed: resources, removedNames, missingNames };
  }

  /** Where the client holds exactly the state that this one is based on: what is wanted of the change, and nothing else was touched. */
  #smallChange(snapshot: TypeSnapshot): readonly EncodedResource[] | undefined {
    const { change } = snapshot;
    if (change === undefined || this.#settled?.version !== change.basedOn || this.#owesAnswer) return undefined;
    const wanted: EncodedResource[] = [];
    for (const name of change.names) {
      if (!this.#isWildcard && !this.#names.has(name)) continue;
      const resource = snapshot.resources.get(name);
      if (resource !== undefined) wanted.push(resource);
    }
    return wanted;
  }

  /** What is new or changed, cut where it gets large: the rest follows when this part has been answered. */
  #additions(candidates: Iterable<EncodedResource>): { resources: EncodedResource[]; isCut: boolean } {
    const resources: EncodedResource[] = [];
    let bytes = 0;
    for (const resource of candidates) {
      if (this.#held.get(resource.name) === resource.version) continue;
      if (bytes > 0 && bytes + resource.any.length > MAX_PARTIAL_RESPONSE_BYTES) return { resources, isCut: true };
      bytes += resource.any.length;
      resources.push(resource);
    }
    return { resources, isCut: false };
  }

  /** Names to be told as removed. What a client holds is withdrawn only in its step; what it never had is answered for at once. */
  #removals(
    snapshot: TypeSnapshot,
    scope: StepScope,
  ): { readonly removedNames: readonly string[]; isWithheld: boolean } {
    const removedNames: string[] = [];
    let isWithheld = false;
    for (const [name, version] of this.#held) {
      if (version === ABSENT || snapshot.resources.has(name)) continue;
      if (scope === 'everything') removedNames.push(name);
      else isWithheld = true;
    }
    for (const name of this.#names) {
      if (this.#held.has(name) || snapshot.resources.has(name) || snapshot.awaits?.(name) === true) continue;
      removedNames.push(name);
    }
    return { removedNames, isWithheld };
  }

  #matching(snapshot: TypeSnapshot): Iterable<EncodedResource> {
    if (this.#isWildcard) return snapshot.resources.values();
    const matching: EncodedResource[] = [];
    for (const name of this.#names) {
      const resource = snapshot.resources.get(name);
      if (resource !== undefined) matching.push(resource);
    }
    return matching;
  }
}
