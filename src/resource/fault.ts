/** One thing wrong with a resource: where (a field path as in the proto) and what, with the fix where there is one. */
export interface Fault {
  readonly field: string;
  readonly message: string;
}

/** Every decoder of this room answers with the value or with all faults it found, never with the first alone. */
export type Decoded<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly faults: readonly Fault[] };

/** One line for a NACK's error_detail: `field: message; field: message`. */
export function faultsText(resourceName: string, faults: readonly Fault[]): string {
  return `${resourceName}: ${faults.map((fault) => `${fault.field}: ${fault.message}`).join('; ')}`;
}

/** The field of a fault that concerns the resource as a whole. */
const WHOLE_RESOURCE = '(resource)';

/** How many faults of one resource are kept: enough for any person, and an answer to a peer stays small. */
const MAX_FAULTS = 100;

/** Collects the faults of one resource while it is read; the first hundred are kept, the rest counted. */
export class FaultCollector {
  readonly #faults: Fault[] = [];
  #dropped = 0;

  add(field: string, message: string): void {
    if (this.#faults.length < MAX_FAULTS) this.#faults.push({ field: field === '' ? WHOLE_RESOURCE : field, message });
    else this.#dropped += 1;
  }

  get isEmpty(): boolean {
    return this.#faults.length === 0;
  }

  /** All faults so far, in the order they were found. */
  list(): readonly Fault[] {
    if (this.#dropped === 0) return [...this.#faults];
    return [...this.#faults, { field: WHOLE_RESOURCE, message: `${this.#dropped} more faults are not shown` }];
  }

  /** The value when nothing was wrong, else the faults. */
  decoded<T>(value: T): Decoded<T> {
    return this.isEmpty ? { ok: true, value } : { ok: false, faults: this.list() };
  }
}

/** One fault as a whole answer. */
export function failed(field: string, message: string): { readonly ok: false; readonly faults: readonly Fault[] } {
  return { ok: false, faults: [{ field: field === '' ? WHOLE_RESOURCE : field, message }] };
}
