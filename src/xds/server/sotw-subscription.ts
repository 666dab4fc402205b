import { type SotwRequest, WILDCARD_NAME } from '../discovery-requests.ts';
import type { EncodedResource } from '../encoded-resource.ts';
import { type Answer, DeliveryTracker } from './delivery.ts';
import { isCompleteType, type StepScope } from './push-order.ts';
import type { TypeSnapshot } from './snapshot-source.ts';
import { MAX_PARTIAL_RESPONSE_BYTES, type Push, type TypeSubscription, type WantedNames } from './type-subscription.ts';

/** One type on one SotW stream. Each request names the whole subscription. */
export class SotwSubscription implements TypeSubscription<SotwRequest> {
  readonly typeUrl: string;
  readonly delivery = new DeliveryTracker();
  #names: ReadonlySet<string> = new Set();
  #characters = 0;
  #isWildcard = false;
  /** Once a name was given, an empty list means "nothing", no longer "everything". */
  #hasNamed = false;
  /** A request came that must be answered even if nothing changed. */
  #owesAnswer = false;
  #isFirst = true;
  /** What the client was last sent, by name; for LDS and CDS exactly the last response. */
  readonly #sent = new Map<string, EncodedResource>();
  /** The type snapshot with which nothing was left to send. */
  #settled: TypeSnapshot | undefined;

  constructor(typeUrl: string) {
    this.typeUrl = typeUrl;
  }

  get wanted(): WantedNames {
    return { isWildcard: this.#isWildcard, names: this.#names, characters: this.#characters };
  }

  onRequest(request: SotwRequest): Answer {
    const isFirst = this.#isFirst;
    this.#isFirst = false;
    const answer = this.delivery.answer(request.responseNonce, request.errorDetail);
    // On a new stream some clients still carry the nonce of the one before; there is nothing here that it could be stale against.
    if (answer === 'stale' && !isFirst && this.delivery.state.kind !== 'none') return 'stale';
    this.#subscribe(request.resourceNames, isFirst);
    return answer === 'stale' ? 'none' : answer;
  }

  #subscribe(resourceNames: readonly string[], isFirst: boolean): void {
    const names = new Set(resourceNames);
    const isExplicitWildcard = names.delete(WILDCARD_NAME);
    if (resourceNames.length > 0) this.#hasNamed = true;
    const isWildcard = isExplicitWildcard || (!this.#hasNamed && isCompleteType(this.typeUrl));
    // Every ACK repeats the whole list.
    if (!isFirst && isWildcard === this.#isWildcard && isSameSet(names, this.#names)) return;
    if (isFirst || (isWildcard && !this.#isWildcard)) this.#owesAnswer = true;
    for (const name of names) {
      if (this.#names.has(name)) continue;
      // Newly asked for: sent again even if it was sent before.
      this.#owesAnswer = true;
      this.#sent.delete(name);
    }
    this.#names = names;
    this.#characters = [...names].reduce((sum, { length }) => sum + length, 0);
    this.#isWildcard = isWildcard;
    for (const name of this.#sent.keys()) {
      if (!isWildcard && !names.has(name)) this.#sent.delete(name);
    }
    this.#settled = undefined;
  }

  resend(names: Iterable<string>): void {
    for (const name of names) {
      if (this.#sent.delete(name)) this.#settled = undefined;
    }
  }

  isSettled(snapshot: TypeSnapshot): boolean {
    return this.#settled === snapshot && !this.#owesAnswer;
  }

  held(snapshot: TypeSnapshot): readonly EncodedResource[] {
    return this.#matching(snapshot).filter(({ name, version }) => this.#sent.get(name)?.version === version);
  }

  heldVersion(name: string): string | undefined {
    return this.#sent.get(name)?.version;
  }

  next(snapshot: TypeSnapshot, scope: StepScope): Push | undefined {
    if (this.isSettled(snapshot)) return undefined;
    return isCompleteType(this.typeUrl) ? this.#nextComplete(snapshot, scope) : this.#nextPartial(snapshot);
  }

  /** LDS, CDS: the whole set, and a name that is missing is deleted. Before the withdrawal step, what goes is still sent along. */
  #nextComplete(snapshot: TypeSnapshot, scope: StepScope): Push | undefined {
    const resources = this.#matching(snapshot);
    const changed = resources.filter((resource) => this.#sent.get(resource.name)?.version !== resource.version);
    const gone: EncodedResource[] = [];
    for (const resource of this.#sent.values()) {
      if (!snapshot.resources.has(resource.name)) gone.push(resource);
    }
    const isDue = this.#owesAnswer || changed.length > 0 || (scope === 'everything' && gone.length > 0);
    if (!isDue) {
      if (gone.length === 0) this.#settled = snapshot;
      return undefined;
    }
    this.#owesAnswer = false;
    // Whatever the answer will be: these versions are not sent twice.
    this.#settled = scope === 'additions' && gone.length > 0 ? undefined : snapshot;
    if (scope === 'additions') resources.push(...gone);
    this.#sent.clear();
    for (const resource of resources) this.#sent.set(resource.name, resource);
    return { resources, changed, removedNames: [], missingNames: this.#missing(snapshot) };
  }

  /** RDS, EDS and others: only what changed, in parts if it is much. Nothing is ever deleted by a response. */
  #nextPartial(snapshot: TypeSnapshot): Push | undefined {
    const resources: EncodedResource[] = [];
    let bytes = 0;
    let isCut = false;
    for (const resource of this.#matching(snapshot)) {
      if (this.#sent.get(resource.name)?.version === resource.version) continue;
      isCut = bytes > 0 && bytes + resource.any.length > MAX_PARTIAL_RESPONSE_BYTES;
      if (isCut) break;
      bytes += resource.any.length;
      resources.push(resource);
    }
    for (const name of this.#sent.keys()) {
      // Forgotten, so that it is sent when it comes back.
      if (!snapshot.resources.has(name)) this.#sent.delete(name);
    }
    if (resources.length === 0 && !this.#owesAnswer) {
      this.#settled = snapshot;
      return undefined;
    }
    this.#owesAnswer = false;
    this.#settled = isCut ? undefined : snapshot;
    for (const resource of resources) this.#sent.set(resource.name, resource);
    return { resources, changed: resources, removedNames: [], missingNames: this.#missing(snapshot) };
  }

  /** In SotW nothing else says that a name is not there: it is told with each response, as all resources may be. */
  #missing(snapshot: TypeSnapshot): readonly string[] {
    return [...this.#names].filter((name) => !snapshot.resources.has(name) && snapshot.awaits?.(name) !== true);
  }

  #matching(snapshot: TypeSnapshot): EncodedResource[] {
    if (this.#isWildcard) return [...snapshot.resources.values()];
    const matching: EncodedResource[] = [];
    for (const name of this.#names) {
      const resource = snapshot.resources.get(name);
      if (resource !== undefined) matching.push(resource);
    }
    return matching;
  }
}

function isSameSet(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && a.isSubsetOf(b);
}
