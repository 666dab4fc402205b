import {
  type ByteStream,
  type ByteStreamUser,
  Deadline,
  type DeadlineOwner,
  type EventTurn,
} from '../../transport-socket/transport-socket.ts';
import type { InspectionCounters } from './listener-counters.ts';
import type { CompiledListenerFilter, InspectedFacts } from './listener-filters.ts';

/** What a listener's filters are and how long they may take. */
export interface InspectionPlan {
  readonly filters: readonly CompiledListenerFilter[];
  /** One of them wants to know where the kernel took the connection from. */
  readonly asksForDestination: boolean;
  readonly counters: InspectionCounters;
  /** 0: as long as they like. */
  readonly timeoutMs: number;
  readonly continueOnTimeout: boolean;
}

/** The listener that accepted the connection. Exactly one of the two is called, once. */
export interface InspectionOwner {
  /** The stream is paused; what was read of it, but for what filters consumed, will be read again. */
  inspected(inspection: ConnectionInspection, stream: ByteStream, facts: InspectedFacts): void;
  inspectionFailed(inspection: ConnectionInspection): void;
}

const FIRST_HOLD_BYTES = 1_024;

/**
 * A connection between accept and filter chain: reads what the listener's filters ask for and no filter chain has seen yet.
 * Each filter bounds what it asks for, so that no more is held than the largest of them and one read.
 */
export class ConnectionInspection implements ByteStreamUser, DeadlineOwner {
  readonly #turn: EventTurn;
  readonly #plan: InspectionPlan;
  readonly #stream: ByteStream;
  readonly #owner: InspectionOwner;
  readonly #facts: InspectedFacts;
  readonly #deadline: Deadline = new Deadline(this);
  #held: Buffer | undefined = undefined;
  #heldBytes = 0;
  #filterIndex = 0;
  /** Absolute, consumed bytes included. */
  #neededBytes = 0;
  #isOver = false;

  constructor(
    turn: EventTurn,
    plan: InspectionPlan,
    stream: ByteStream,
    facts: InspectedFacts,
    owner: InspectionOwner,
  ) {
    this.#facts = facts;
    this.#turn = turn;
    this.#plan = plan;
    this.#stream = stream;
    this.#owner = owner;
    plan.counters.active.add(1);
  }

  /** Begins reading. */
  start(): void {
    this.#stream.user = this;
    if (this.#plan.timeoutMs > 0) {
      this.#turn.deadlines.schedule(this.#deadline, this.#turn.nowMs + this.#plan.timeoutMs);
    }
    if (this.#plan.filters[0]?.needsNoBytes === true) this.#inspect();
    if (!this.#isOver) this.#stream.resume();
  }

  destroy(): void {
    this.#stream.destroy();
    this.#fail();
  }

  onConnected(): void {
    // An accepted connection is born connected.
  }

  onBytes(buffer: Buffer, start: number, end: number): void {
    if (this.#isOver) return;
    this.#hold(buffer, start, end);
    if (this.#heldBytes >= this.#neededBytes) this.#inspect();
  }

  onPeerFinished(): void {
    if (this.#isOver) return;
    this.#plan.counters.remoteClose.increment();
    this.destroy();
  }

  onWritable(): void {
    // Nothing is written here.
  }

  onClosed(): void {
    if (!this.#isOver) this.#plan.counters.remoteClose.increment();
    this.#fail();
  }

  onDeadline(): void {
    this.#plan.counters.timeout.increment();
    const waitingFor = this.#plan.filters[this.#filterIndex];
    if (this.#plan.continueOnTimeout && waitingFor?.isOptional === true) this.#complete();
    else this.destroy();
  }

  #inspect(): void {
    const { filters } = this.#plan;
    const facts = this.#facts;
    for (; this.#filterIndex < filters.length; this.#filterIndex++) {
      const bytes = this.#unconsumed();
      const verdict = filters[this.#filterIndex]?.inspect(bytes, facts) ?? 'done';
      if (verdict === 'close') {
        this.#plan.counters.error.increment();
        this.destroy();
        return;
      }
      if (verdict !== 'done') {
        this.#neededBytes = facts.consumedBytes + verdict;
        return;
      }
    }
    this.#complete();
  }

  #complete(): void {
    const rest = this.#unconsumed();
    this.#held = undefined;
    this.#finish();
    this.#stream.pause();
    this.#stream.unread(rest);
    this.#owner.inspected(this, this.#stream, this.#facts);
  }

  #unconsumed(): Buffer {
    return (this.#held ?? NOTHING).subarray(this.#facts.consumedBytes, this.#heldBytes);
  }

  #hold(buffer: Buffer, start: number, end: number): void {
    const neededBytes = this.#heldBytes + end - start;
    if (this.#held === undefined || this.#held.length < neededBytes) {
      const larger = Buffer.allocUnsafeSlow(Math.max(neededBytes, this.#heldBytes * 2, FIRST_HOLD_BYTES));
      this.#held?.copy(larger, 0, 0, this.#heldBytes);
      this.#held = larger;
    }
    buffer.copy(this.#held, this.#heldBytes, start, end);
    this.#heldBytes = neededBytes;
  }

  #fail(): void {
    if (this.#isOver) return;
    this.#held = undefined;
    this.#finish();
    this.#owner.inspectionFailed(this);
  }

  #finish(): void {
    this.#isOver = true;
    this.#turn.deadlines.remove(this.#deadline);
    this.#plan.counters.active.add(-1);
  }
}

const NOTHING = Buffer.alloc(0);
