/**
 * Names that were asked for and are not held yet. A server need not say that a resource does not exist (in SotW it cannot): silence for
 * long enough on a live stream says it.
 */
export class AbsenceTimers {
  readonly #timeoutMs: number;
  readonly #onAbsent: (typeUrl: string, name: string) => void;
  readonly #timers = new Map<string, Map<string, NodeJS.Timeout>>();

  constructor(timeoutMs: number, onAbsent: (typeUrl: string, name: string) => void) {
    this.#timeoutMs = timeoutMs;
    this.#onAbsent = onAbsent;
  }

  /** Makes the names awaited of a type exactly these; those already awaited keep their time. */
  await(typeUrl: string, names: ReadonlySet<string>): void {
    let ofType = this.#timers.get(typeUrl);
    if (ofType === undefined) {
      ofType = new Map();
      this.#timers.set(typeUrl, ofType);
    }
    for (const [name, timer] of ofType) {
      if (names.has(name)) continue;
      clearTimeout(timer);
      ofType.delete(name);
    }
    for (const name of names) {
      if (!ofType.has(name)) ofType.set(name, this.#arm(typeUrl, name));
    }
  }

  /** The stream is gone: silence says nothing now. */
  clear(): void {
    for (const ofType of this.#timers.values()) for (const timer of ofType.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  #arm(typeUrl: string, name: string): NodeJS.Timeout {
    // The fired timer stays in the table, so that absence is told once per stream.
    const timer = setTimeout(() => this.#onAbsent(typeUrl, name), this.#timeoutMs);
    timer.unref();
    return timer;
  }
}
