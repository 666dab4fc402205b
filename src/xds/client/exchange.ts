import type { DiscoveryResponse } from '../discovery-codec.ts';

/**
 * The protocol of one stream, seen from the client: what to send when it opens, when the subscription changes and when a response has
 * been read. SotW and delta each have one. Knows no gRPC.
 */
export interface Exchange {
  /** Sends the first request of every type that is wanted. */
  start(): void;
  /** A type's wanted names changed. */
  onWantedChanged(typeUrl: string): void;
  /** Asks once more for a name that never came. */
  askAgain(typeUrl: string, name: string): void;
  decode(bytes: Buffer): DiscoveryResponse;
  /** Whether what a response of this type lacks is thereby deleted. */
  scopeOf(typeUrl: string): 'complete' | 'partial';
  /** Answers a response: no faults is an ACK, any is a NACK that names them all. */
  answer(response: DiscoveryResponse, faults: readonly string[]): void;
}

/** Longest error_detail; faults beyond it are counted, not listed, so that the status stays a readable message. */
const MAX_DETAIL_LENGTH = 8192;

/** The text of a NACK, undefined for an ACK. */
export function errorDetailOf(faults: readonly string[]): string | undefined {
  if (faults.length === 0) return undefined;
  const whole = faults.join('\n');
  if (whole.length <= MAX_DETAIL_LENGTH) return whole;
  const kept: string[] = [];
  let length = 0;
  for (const fault of faults) {
    length += fault.length + 1;
    if (length > MAX_DETAIL_LENGTH) break;
    kept.push(fault);
  }
  if (kept.length === 0) kept.push((faults[0] ?? '').slice(0, MAX_DETAIL_LENGTH));
  return `${kept.join('\n')}\n(and ${faults.length - kept.length} more)`;
}
