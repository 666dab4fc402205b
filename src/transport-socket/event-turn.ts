import { ByteBudget } from '../base/byte-budget.ts';
import type { Clock } from '../base/clock.ts';
import { CopyBuffers } from './copy-buffers.ts';
import { Deadlines } from './deadlines.ts';
import { LentBuffer } from './lent-buffer.ts';

/** Something with output gathered during a turn. */
export interface Flushable {
  flush(): void;
}

/** What HTTP/2 windows of one worker may grow by together, beyond those that every connection begins with. */
export const MAX_WINDOW_GROWTH_BYTES = 64 * 1024 * 1024;

export interface EventTurnOptions {
  readonly windowGrowth?: ByteBudget;
  readonly readBufferBytes?: number;
  readonly drivesHandles?: boolean;
  /** When so many wait to be flushed they are, in the middle of an entry; they must be able to bear that. */
  readonly maxDirty?: number;
  /** Output leaves when the entry that made it ends, and not when the poll's other events have been handed out. */
  readonly flushesEachEntry?: boolean;
}

/** A reading of the clock serves so many entries of one round: some tens of microseconds each. */
const ENTRIES_PER_READING = 8;

/**
 * One worker's view of "now": every entry from the event loop (bytes, connect, close, deadline) is bracketed by enter() and
 * leave(), and the clock is read at the entrance, or a few entrances before in the same round of the loop. Whatever was written to is flushed when the loop has handed out all
 * that one poll found ready: writes that follow one another find their code in the cache and their readers awake, and a
 * socket that several entries wrote to is written once.
 */
export class EventTurn {
  /** Monotonic milliseconds as of this entry. */
  nowMs: number;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  /** Lent to every socket's reads; what must outlive the callback is copied. */
  readonly readBuffer: Buffer;
  readonly copies = new CopyBuffers();
  readonly lentBuffer: LentBuffer;
  readonly windowGrowth: ByteBudget;
  /** Sockets are driven by their handles where this Node has them; else, and where false, through net.Socket. */
  readonly drivesHandles: boolean;
  /** Exceptions that reached the rim: always bugs. Each closes its connection and nothing else. */
  unexpectedErrors = 0;
  readonly #onUnexpectedError: (error: unknown) => void;
  /** Filled from the front until the flush; the array keeps its length, and so its storage. */
  readonly #dirty: (Flushable | undefined)[] = [];
  #dirtyCount = 0;
  readonly #maxDirty: number;
  #isFlushing = false;
  readonly #schedule: (run: () => void) => void;
  /** Those that have gathered enough to be written without waiting for the others. */
  readonly #full: Flushable[] = [];
  #depth = 0;
  #entriesSinceReading = 0;
  #isFlushComing = false;
  readonly #onRoundEnd = (): void => {
    this.#isFlushComing = false;
    this.flush();
  };
  #timer: NodeJS.Timeout | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #stopped = false;

  constructor(clock: Clock, onUnexpectedError: (error: unknown) => void, options: EventTurnOptions = {}) {
    const { readBufferBytes = 65_536, drivesHandles = true, flushesEachEntry = false } = options;
    this.windowGrowth = options.windowGrowth ?? new ByteBudget(MAX_WINDOW_GROWTH_BYTES);
    this.#maxDirty = options.maxDirty ?? Number.POSITIVE_INFINITY;
    this.clock = clock;
    this.drivesHandles = drivesHandles;
    this.#schedule = flushesEachEntry ? (run) => process.nextTick(run) : setImmediate;
    this.nowMs = clock.nowMs();
    this.#onUnexpectedError = onUnexpectedError;
    this.deadlines = new Deadlines(this.nowMs);
    this.deadlines.onEarlier = () => this.#arm();
    this.readBuffer = Buffer.allocUnsafeSlow(readBufferBytes);
    this.lentBuffer = new LentBuffer(this.readBuffer, () => this.copies.isCrowded);
  }

  enter(): void {
    if (this.#depth++ > 0) return;
    // A flush that is coming ends this round: whatever was read in it is not old.
    if (!this.#isFlushComing || ++this.#entriesSinceReading === ENTRIES_PER_READING) this.#readClock();
  }

  #readClock(): void {
    this.#entriesSinceReading = 0;
    this.nowMs = this.clock.nowMs();
  }

  leave(): void {
    if (--this.#depth === 0 && this.#full.length > 0) this.#flushFull();
  }

  /** Its flush() comes in the check phase of this round of the event loop, right behind the poll phase. */
  markDirty(flushable: Flushable): void {
    if (this.#dirtyCount >= this.#maxDirty && !this.#isFlushing) this.flush();
    this.#dirty[this.#dirtyCount++] = flushable;
    if (this.#isFlushComing) return;
    this.#isFlushComing = true;
    this.#schedule(this.#onRoundEnd);
  }

  /**
   * Its flush() comes when this entry is left: as much as one read holds costs least while it is still in the cache, and
   * what several reads gather would need buffers that are made for it.
   */
  markFull(flushable: Flushable): void {
    this.#full.push(flushable);
  }

  /** Sends what was written so far. The turn does it by itself; whoever hands in bytes without an event loop may too. */
  flush(): void {
    this.enter();
    this.#isFlushing = true;
    const dirty = this.#dirty;
    // A flush may mark more.
    for (let index = 0; index < this.#dirtyCount; index++) {
      try {
        dirty[index]?.flush();
      } catch (error) {
        this.reportUnexpected(error);
      }
      dirty[index] = undefined;
    }
    this.#dirtyCount = 0;
    this.#isFlushing = false;
    this.leave();
  }

  #flushFull(): void {
    this.#depth++;
    for (let flushable = this.#full.pop(); flushable !== undefined; flushable = this.#full.pop()) {
      try {
        flushable.flush();
      } catch (error) {
        this.reportUnexpected(error);
      }
    }
    this.#depth--;
  }

  reportUnexpected(error: unknown): void {
    this.unexpectedErrors++;
    this.#onUnexpectedError(error);
  }

  /** Lets the process end: no deadline fires after this. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Fires what is due. The driver calls it; a test with its own clock may too. */
  advance(): void {
    this.enter();
    this.#readClock();
    try {
      this.deadlines.advance(this.nowMs);
    } catch (error) {
      this.reportUnexpected(error);
    }
    this.leave();
  }

  #arm(): void {
    const wakeMs = this.deadlines.nextWakeMs();
    if (this.#stopped || wakeMs === undefined || wakeMs >= this.#timerAtMs) return;
    clearTimeout(this.#timer);
    this.#timerAtMs = wakeMs;
    const delayMs = Math.max(1, Math.ceil(wakeMs - this.clock.nowMs()));
    this.#timer = setTimeout(() => this.#onTimer(), delayMs);
    // Deadlines guard sockets; without any there is nothing to stay for.
    this.#timer.unref();
  }

  /**
   * After a stall of the loop, bytes that arrived in time are waiting behind this timer: the deadlines are looked at only
   * after the poll phase has delivered them, so that a stall does not turn into false timeouts.
   */
  #onTimer(): void {
    setImmediate(() => {
      this.#timerAtMs = Number.POSITIVE_INFINITY;
      if (this.#stopped) return;
      this.advance();
      this.#arm();
    });
  }
}
