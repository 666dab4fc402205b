import { CONNECTION_FAULTS, type Http2Fault } from './faults.ts';
import { GlitchBucket } from './glitch-bucket.ts';
import type { Http2Limits } from './limits.ts';

/** DATA frames below this waste more than they carry. */
const SMALL_DATA_BYTES = 256;
/** Envoy's allowances: a few updates for nothing, two for each stream. */
const FREE_WINDOW_UPDATES = 5;
const WINDOW_UPDATES_PER_STREAM = 2;

/**
 * Counts the work a peer causes with frames that are each legal. Every method answers the fault once a bound is passed, and
 * undefined until then.
 */
export class FloodGuard {
  streamsOpened = 0;
  dataFramesSent = 0;
  readonly #limits: Http2Limits;
  readonly #glitches: GlitchBucket;
  #emptyFrames = 0;
  #priorityFrames = 0;
  #windowUpdates = 0;
  #overheadBytes = 0;

  constructor(limits: Http2Limits) {
    this.#limits = limits;
    this.#glitches = new GlitchBucket(limits.glitchBurst, limits.glitchesPerSecond);
  }

  /** A reset, sent or received, or another thing that made us work in vain. */
  glitch(nowMs: number): Http2Fault | undefined {
    return this.#glitches.take(nowMs) ? undefined : CONNECTION_FAULTS.glitches;
  }

  /** HEADERS, CONTINUATION or DATA; `isEmpty` where it neither carries nor ends anything. */
  payloadFrame(isEmpty: boolean): Http2Fault | undefined {
    this.#emptyFrames = isEmpty ? this.#emptyFrames + 1 : 0;
    return this.#emptyFrames > this.#limits.maxConsecutiveEmptyFrames ? CONNECTION_FAULTS.emptyFrames : undefined;
  }

  /** What a DATA frame of that size wastes until its stream is credited. */
  overheadOf(dataBytes: number): number {
    return dataBytes >= SMALL_DATA_BYTES ? 0 : SMALL_DATA_BYTES - dataBytes;
  }

  addOverhead(bytes: number): Http2Fault | undefined {
    this.#overheadBytes += bytes;
    return this.#overheadBytes > this.#limits.dataOverheadBudgetBytes ? CONNECTION_FAULTS.tinyData : undefined;
  }

  returnOverhead(bytes: number): void {
    this.#overheadBytes -= bytes;
  }

  priority(): Http2Fault | undefined {
    this.#priorityFrames += 1;
    const allowed = this.#limits.maxPriorityFramesPerStream * (1 + this.streamsOpened);
    return this.#priorityFrames > allowed ? CONNECTION_FAULTS.priorityFlood : undefined;
  }

  windowUpdate(): Http2Fault | undefined {
    this.#windowUpdates += 1;
    const perDataFrame = this.#limits.maxWindowUpdatesPerDataFrame * this.dataFramesSent;
    const allowed = FREE_WINDOW_UPDATES + WINDOW_UPDATES_PER_STREAM * (this.streamsOpened + perDataFrame);
    return this.#windowUpdates > allowed ? CONNECTION_FAULTS.windowUpdateFlood : undefined;
  }
}
