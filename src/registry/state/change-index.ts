/**
 * The one index of all state, and which topic moved at which index. A topic is what a blocking query can wait for:
 * `services`, `service:web`, `config:service-router/web`. The topics a query watches give both its X-Consul-Index and the
 * moment it wakes, so the two can never disagree.
 */
export type Topic = string;

/** Consul's own first indexes are taken by its start; clients must never be shown 0. */
const FIRST_INDEX = 1;

export class ChangeIndex {
  #current = FIRST_INDEX;
  readonly #topics = new Map<Topic, number>();
  /** Highest index at which a topic of a family (`service` of `service:web`) was forgotten. */
  readonly #forgottenAt = new Map<string, number>();
  readonly #waiters = new Map<Topic, Set<() => void>>();
  readonly #pending = new Set<() => void>();
  #flushQueued = false;

  get current(): number {
    return this.#current;
  }

  /** The next index, to be written into the rows of one change before `publish` shows them. */
  next(): number {
    this.#current += 1;
    return this.#current;
  }

  publish(index: number, topics: Iterable<Topic>): void {
    for (const topic of topics) {
      this.#topics.set(topic, index);
      this.#wake(topic);
    }
  }

  /** The topic's subject is gone. Its index lives on in its family's, as Consul keeps the last extinction of a service. */
  forget(index: number, topic: Topic): void {
    this.#topics.delete(topic);
    this.#forgottenAt.set(familyOf(topic), index);
    this.#wake(topic);
  }

  indexOf(topics: readonly Topic[]): number {
    let highest = FIRST_INDEX;
    for (const topic of topics) {
      const index = this.#topics.get(topic) ?? this.#forgottenAt.get(familyOf(topic)) ?? FIRST_INDEX;
      if (index > highest) highest = index;
    }
    return highest;
  }

  /** Calls `wake` (once per turn at most) after any of the topics moved, until the returned function is called. */
  subscribe(topics: readonly Topic[], wake: () => void): () => void {
    for (const topic of topics) {
      const waiters = this.#waiters.get(topic);
      if (waiters === undefined) this.#waiters.set(topic, new Set([wake]));
      else waiters.add(wake);
    }
    return () => {
      this.#pending.delete(wake);
      for (const topic of topics) {
        const waiters = this.#waiters.get(topic);
        waiters?.delete(wake);
        if (waiters?.size === 0) this.#waiters.delete(topic);
      }
    };
  }

  /** As after a restored snapshot: every index falls to at most `index`. */
  rewind(index: number): void {
    this.#current = Math.max(FIRST_INDEX, index);
    for (const [topic, at] of this.#topics) this.#topics.set(topic, Math.min(at, this.#current));
    for (const [family, at] of this.#forgottenAt) this.#forgottenAt.set(family, Math.min(at, this.#current));
  }

  #wake(topic: Topic): void {
    const waiters = this.#waiters.get(topic);
    if (waiters === undefined) return;
    for (const wake of waiters) this.#pending.add(wake);
    if (this.#flushQueued || this.#pending.size === 0) return;
    this.#flushQueued = true;
    // One request may make several changes (service, checks, sidecar): those who wait see them all at once.
    queueMicrotask(() => {
      this.#flushQueued = false;
      const woken = [...this.#pending];
      this.#pending.clear();
      for (const call of woken) call();
    });
  }
}

function familyOf(topic: Topic): string {
  const colon = topic.indexOf(':');
  return colon < 0 ? topic : topic.slice(0, colon);
}
