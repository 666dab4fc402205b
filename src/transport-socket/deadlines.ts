/** Whoever is told that a deadline passed. */
export interface DeadlineOwner {
  onDeadline(deadline: Deadline, nowMs: number): void;
}

/** One time limit, made once per connection or stream and re-armed as often as needed. Never shared between owners. */
export class Deadline {
  readonly owner: DeadlineOwner;
  /** Infinity while disarmed. */
  atMs = Number.POSITIVE_INFINITY;
  /** The tick whose slot holds this deadline, or −1; may be earlier than `atMs` says (see Deadlines). */
  tick = -1;
  level = 0;
  previous: Deadline | undefined = undefined;
  next: Deadline | undefined = undefined;

  constructor(owner: DeadlineOwner) {
    this.owner = owner;
  }
}

const TICK_MS = 10;
const SLOT_BITS = 7;
const SLOTS = 1 << SLOT_BITS;
const SLOT_MASK = SLOTS - 1;
const LEVELS = 3;
/** Deadlines further away than the outermost level wait in its last slot and are looked at again there (5.8 hours). */
const FARTHEST_TICKS = SLOTS ** LEVELS - SLOTS ** (LEVELS - 1) - 1;

/**
 * A hierarchical timer wheel with lazy re-arming. Moving a deadline later, or disarming it, only writes a number; the
 * wheel notices when it comes past. So a keep-alive connection that pushes its deadlines forward on every request costs
 * one comparison each time. Resolution is 10 ms and never early. Pure: time is an argument.
 */
export class Deadlines {
  readonly #slots: (Deadline | undefined)[] = new Array<Deadline | undefined>(LEVELS * SLOTS).fill(undefined);
  readonly #counts = [0, 0, 0];
  #currentTick: number;
  /** Called when a deadline is linked earlier than everything before it, so that the driver wakes in time. */
  onEarlier: (() => void) | undefined;

  constructor(nowMs: number) {
    this.#currentTick = Math.floor(nowMs / TICK_MS);
  }

  /** Arms, moves or (with Infinity) disarms a deadline. */
  schedule(deadline: Deadline, atMs: number): void {
    deadline.atMs = atMs;
    // Most are moved later or disarmed: then the wheel need not be told.
    if (atMs === Number.POSITIVE_INFINITY || (deadline.tick >= 0 && deadline.tick * TICK_MS <= atMs)) return;
    const tick = Math.max(Math.ceil(atMs / TICK_MS), this.#currentTick + 1);
    if (deadline.tick >= 0) {
      if (deadline.tick <= tick) return;
      this.#unlink(deadline);
    }
    this.#link(deadline, tick);
    this.onEarlier?.();
  }

  /** Disarms and lets go of the deadline and its owner at once: for owners that end. */
  remove(deadline: Deadline): void {
    deadline.atMs = Number.POSITIVE_INFINITY;
    if (deadline.tick >= 0) this.#unlink(deadline);
  }

  /** Calls the owners of all deadlines that have passed. */
  advance(nowMs: number): void {
    const target = Math.floor(nowMs / TICK_MS);
    while (this.#currentTick < target) {
      if (this.isEmpty) {
        this.#currentTick = target;
        return;
      }
      this.#currentTick++;
      if ((this.#currentTick & SLOT_MASK) === 0) this.#cascade(1);
      this.#visit(this.#currentTick & SLOT_MASK, nowMs);
    }
  }

  get isEmpty(): boolean {
    return this.#counts[0] === 0 && this.#counts[1] === 0 && this.#counts[2] === 0;
  }

  /** When advance() has something to do next; undefined where nothing waits. */
  nextWakeMs(): number | undefined {
    if (this.isEmpty) return undefined;
    if (this.#counts[0] !== 0) {
      for (let ahead = 1; ahead <= SLOTS; ahead++) {
        const tick = this.#currentTick + ahead;
        if (this.#slots[tick & SLOT_MASK] !== undefined || (tick & SLOT_MASK) === 0) return tick * TICK_MS;
      }
    }
    return ((this.#currentTick >> SLOT_BITS) + 1) * SLOTS * TICK_MS;
  }

  #cascade(level: number): void {
    const index = Math.floor(this.#currentTick / SLOTS ** level) & SLOT_MASK;
    if (index === 0 && level + 1 < LEVELS) this.#cascade(level + 1);
    const slot = level * SLOTS + index;
    for (let deadline = this.#slots[slot]; deadline !== undefined; deadline = this.#slots[slot]) {
      this.#unlink(deadline);
      this.#relink(deadline, this.#currentTick);
    }
  }

  /** Takes one at a time, since an owner may arm, move or remove any deadline while it is told. */
  #visit(slot: number, nowMs: number): void {
    for (let deadline = this.#slots[slot]; deadline !== undefined; deadline = this.#slots[slot]) {
      this.#unlink(deadline);
      if (deadline.atMs > nowMs) this.#relink(deadline, this.#currentTick + 1);
      else {
        deadline.atMs = Number.POSITIVE_INFINITY;
        deadline.owner.onDeadline(deadline, nowMs);
      }
    }
  }

  /** Puts a deadline where it belongs now, or lets it go if it was disarmed meanwhile. */
  #relink(deadline: Deadline, earliestTick: number): void {
    if (deadline.atMs === Number.POSITIVE_INFINITY) return;
    this.#link(deadline, Math.max(Math.ceil(deadline.atMs / TICK_MS), earliestTick));
  }

  #link(deadline: Deadline, wantedTick: number): void {
    const tick = Math.min(wantedTick, this.#currentTick + FARTHEST_TICKS);
    const distance = tick - this.#currentTick;
    const level = distance < SLOTS ? 0 : distance < SLOTS * SLOTS ? 1 : 2;
    const slot = level * SLOTS + (Math.floor(tick / SLOTS ** level) & SLOT_MASK);
    deadline.tick = tick;
    deadline.level = level;
    const first = this.#slots[slot];
    deadline.previous = undefined;
    deadline.next = first;
    if (first !== undefined) first.previous = deadline;
    this.#slots[slot] = deadline;
    this.#counts[level] = (this.#counts[level] ?? 0) + 1;
  }

  #unlink(deadline: Deadline): void {
    if (deadline.previous !== undefined) deadline.previous.next = deadline.next;
    else {
      const slot = deadline.level * SLOTS + (Math.floor(deadline.tick / SLOTS ** deadline.level) & SLOT_MASK);
      this.#slots[slot] = deadline.next;
    }
    if (deadline.next !== undefined) deadline.next.previous = deadline.previous;
    deadline.previous = undefined;
    deadline.next = undefined;
    deadline.tick = -1;
    this.#counts[deadline.level] = (this.#counts[deadline.level] ?? 0) - 1;
  }
}
