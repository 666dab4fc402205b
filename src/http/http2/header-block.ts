import { CONNECTION_FAULTS, type Http2Fault } from './faults.ts';
import type { Http2Limits } from './limits.ts';

const FIRST_CAPACITY_BYTES = 1024;

/**
 *     closed ─HEADERS without END_HEADERS─► open ─CONTINUATION─► open ─with END_HEADERS─► closed
 *
 * Joins a header block that came in several frames (RFC 9113 §4.3). Blocks of one frame never get here.
 */
export class HeaderBlock {
  isOpen = false;
  streamId = 0;
  endStream = false;
  dependsOnItself = false;
  bytes: Buffer = Buffer.alloc(0);
  length = 0;
  readonly #limits: Http2Limits;
  #continuations = 0;

  constructor(limits: Http2Limits) {
    this.#limits = limits;
  }

  begin(streamId: number, endStream: boolean, dependsOnItself: boolean): void {
    this.isOpen = true;
    this.streamId = streamId;
    this.endStream = endStream;
    this.dependsOnItself = dependsOnItself;
    this.length = 0;
    this.#continuations = 0;
    this.bytes = Buffer.allocUnsafeSlow(FIRST_CAPACITY_BYTES);
  }

  /** Counts a CONTINUATION (CVE-2024-27919 and its family). */
  countContinuation(): Http2Fault | undefined {
    this.#continuations += 1;
    return this.#continuations > this.#limits.maxContinuationFrames ? CONNECTION_FAULTS.continuationFlood : undefined;
  }

  append(buffer: Buffer, start: number, end: number): Http2Fault | undefined {
    const needed = this.length + end - start;
    if (needed > this.#limits.maxHeadBytes) return CONNECTION_FAULTS.blockTooLarge;
    if (needed > this.bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2));
      this.bytes.copy(larger, 0, 0, this.length);
      this.bytes = larger;
    }
    buffer.copy(this.bytes, this.length, start, end);
    this.length = needed;
    return undefined;
  }

  close(): void {
    this.isOpen = false;
  }

  /** Lets go of the bytes. */
  forget(): void {
    this.isOpen = false;
    this.bytes = Buffer.alloc(0);
    this.length = 0;
  }
}
