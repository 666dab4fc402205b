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
