/**
 * The fields of one head, in the order received. Names are lower case, values latin1 with outer whitespace removed.
 * Repeated fields stay separate. Pseudo-headers are not among them; `host` of an HTTP/1.1 request is.
 */
export interface HeaderFields {
  readonly count: number;
  nameAt(index: number): string;
  valueAt(index: number): string;
  /** Index of the first field of that lower-case name at or after `from` (default 0), or −1. */
  indexOf(name: string, from?: number): number;
  /** Value of the first field of that lower-case name. */
  get(name: string): string | undefined;
  /** True where the field belongs to one connection (RFC 9110 §7.6.1: Connection and what it names, Keep-Alive, TE, framing …). */
  isHopByHop(index: number): boolean;
}
