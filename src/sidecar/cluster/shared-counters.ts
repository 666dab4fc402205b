/** Integers per slot: one cache line. */
const FIELDS_PER_SLOT = 16;

export const MAX_CLUSTER_SLOTS = 4096;
export const MAX_HOST_SLOTS = 32_768;

export const CLUSTER_FIELD = {
  connections: 0,
  pendingRequests: 1,
  requests: 2,
  retries: 3,
  cursor: 4,
  /** Moves whenever the health of one of the cluster's hosts does; workers rebuild their eligible sets when they see it. */
  healthGeneration: 5,
} as const;

export const HOST_FIELD = {
  inFlight: 0,
  /** Bits of HEALTH_FLAG. */
  health: 1,
  connections: 2,
  consecutive5xx: 3,
  consecutiveGatewayFailures: 4,
  /** Totals wrap at 2^32; they are read unsigned. */
  requestsTotal: 5,
  requestsFailed: 6,
  connectionsTotal: 7,
  connectFailures: 8,
} as const;

export const HEALTH_FLAG = { failedActiveCheck: 1, ejected: 2 } as const;

/** Slots of limits that filters set (`shared-limits.ts`). */
export const MAX_LIMIT_SLOTS = 1_024;

const SHARED_BYTES =
  (MAX_CLUSTER_SLOTS + MAX_HOST_SLOTS + MAX_LIMIT_SLOTS) * FIELDS_PER_SLOT * Int32Array.BYTES_PER_ELEMENT;

/** Zero pages that are never touched cost address space only. */
export function createSharedCounterMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(SHARED_BYTES);
}

/**
 * Numbers that every worker must see exactly: in-flight requests, breaker counts, rotation positions, health flags.
 * Written with Atomics. What one worker has added is mirrored in its ledger, which it alone writes, so that the main
 * thread can take it back when that worker dies.
 */
export class SharedCounters {
  readonly #shared: Int32Array;
  readonly #ledger: Int32Array;

  constructor(shared: SharedArrayBuffer, ledger: SharedArrayBuffer) {
    this.#shared = new Int32Array(shared);
    this.#ledger = new Int32Array(ledger);
  }

  clusterCell(slot: number, field: number): number {
    return slot * FIELDS_PER_SLOT + field;
  }

  hostCell(slot: number, field: number): number {
    return (MAX_CLUSTER_SLOTS + slot) * FIELDS_PER_SLOT + field;
  }

  limitCell(slot: number, field: number): number {
    return (MAX_CLUSTER_SLOTS + MAX_HOST_SLOTS + slot) * FIELDS_PER_SLOT + field;
  }

  get(cell: number): number {
    return Atomics.load(this.#shared, cell);
  }

  /** Adds to a count that this worker will take back itself; returns the value before. */
  add(cell: number, amount: number): number {
    this.#ledger[cell] = (this.#ledger[cell] ?? 0) + amount;
    return Atomics.add(this.#shared, cell, amount);
  }

  /** Adds to a number nobody takes back (a cursor, a generation); returns the value before. */
  advance(cell: number): number {
    return Atomics.add(this.#shared, cell, 1);
  }

  /** As advance, by any amount. */
  shift(cell: number, amount: number): number {
    return Atomics.add(this.#shared, cell, amount);
  }

  /** Returns the value before; it was replaced where it was the expected one. */
  compareExchange(cell: number, expected: number, replacement: number): number {
    return Atomics.compareExchange(this.#shared, cell, expected, replacement);
  }

  set(cell: number, value: number): void {
    Atomics.store(this.#shared, cell, value);
  }

  setBits(cell: number, bits: number): number {
    return Atomics.or(this.#shared, cell, bits);
  }

  clearBits(cell: number, bits: number): number {
    return Atomics.and(this.#shared, cell, ~bits);
  }

  clearHost(slot: number): void {
    for (let field = 0; field < FIELDS_PER_SLOT; field++) this.set(this.hostCell(slot, field), 0);
  }

  clearCluster(slot: number): void {
    for (let field = 0; field < FIELDS_PER_SLOT; field++) this.set(this.clusterCell(slot, field), 0);
  }
}

/** Takes back everything a dead worker still held. */
export function settleLedger(shared: SharedArrayBuffer, ledger: SharedArrayBuffer): void {
  const counts = new Int32Array(shared);
  const held = new Int32Array(ledger);
  for (let cell = 0; cell < held.length; cell++) {
    const amount = held[cell] ?? 0;
    if (amount !== 0) Atomics.sub(counts, cell, amount);
  }
}
