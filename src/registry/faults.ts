/** Ways to misbehave on purpose, so that tests can see what a client makes of a sick registry. Never reachable over HTTP. */

export type RequestFault =
  /** Answer this instead. */
  | {
      readonly kind: 'respond';
      readonly status: number;
      readonly body: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** Never answer; the connection stays open until the fault is cleared or the client leaves. */
  | { readonly kind: 'hang' }
  /** Close the connection without a word. */
  | { readonly kind: 'disconnect' }
  /** Announce more bytes than are sent, then close. */
  | { readonly kind: 'truncate' };

export interface FaultScope {
  /** Only paths that begin so; default: all. */
  readonly pathPrefix?: string;
  /** Only this many requests; default: until cleared. */
  readonly times?: number;
}

interface ActiveFault {
  readonly fault: RequestFault;
  readonly pathPrefix: string;
  remaining: number;
}

export class FaultSwitches {
  readonly #active: ActiveFault[] = [];
  #met = 0;

  /** Requests that met a fault so far. */
  get met(): number {
    return this.#met;
  }

  add(fault: RequestFault, scope: FaultScope): void {
    this.#active.push({
      fault,
      pathPrefix: scope.pathPrefix ?? '',
      remaining: scope.times ?? Number.POSITIVE_INFINITY,
    });
  }

  clear(): void {
    this.#active.length = 0;
  }

  take(path: string): RequestFault | undefined {
    const found = this.#active.find((entry) => entry.remaining > 0 && path.startsWith(entry.pathPrefix));
    if (found === undefined) return undefined;
    found.remaining -= 1;
    this.#met += 1;
    return found.fault;
  }
}
