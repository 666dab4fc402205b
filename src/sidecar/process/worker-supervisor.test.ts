import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { Logs } from '../../telemetry/log/log.ts';
import { createSharedCounterMemory, HOST_FIELD, SharedCounters } from '../cluster/shared-counters.ts';
import { WorkerSupervisor } from './worker-supervisor.ts';

const CELL = new SharedCounters(createSharedCounterMemory(), createSharedCounterMemory()).hostCell(
  7,
  HOST_FIELD.inFlight,
);

/** Counts one request in flight and, told anything, dies with it. */
const FRAGILE_WORKER = new URL(
  `data:text/javascript,${encodeURIComponent(`
    import { parentPort, workerData } from 'node:worker_threads';
    const cell = ${CELL};
    Atomics.add(new Int32Array(workerData.sharedCounters), cell, 1);
    new Int32Array(workerData.ledger)[cell] += 1;
    parentPort.on('message', () => { throw new Error('broken on purpose'); });
    parentPort.postMessage({ kind: 'started' });
  `)}`,
);

let supervisor: WorkerSupervisor | undefined;
afterEach(async () => supervisor?.stop());

describe('worker supervision', () => {
  it('starts a dead worker again and takes back what it still held', async () => {
    const sharedCounters = createSharedCounterMemory();
    const counters = new SharedCounters(sharedCounters, createSharedCounterMemory());
    const heldAtEnd: number[] = [];
    await new Promise<void>((resolve) => {
      let starts = 0;
      supervisor = new WorkerSupervisor({
        count: 1,
        sharedCounters,
        clock: systemClock,
        log: new Logs({ level: 'silent', format: 'json' }).root,
        entry: FRAGILE_WORKER,
        startOf: () => ({ spanRing: undefined, nodeCluster: '', drainTimeoutMs: 0 }),
        onStarted(workerId) {
          starts++;
          if (starts === 3) resolve();
          else supervisor?.post(workerId, { kind: 'drain', inboundOnly: false });
        },
        onMessage: () => {},
        onEnded: () => heldAtEnd.push(counters.get(CELL)),
      });
    });
    expect(heldAtEnd).toEqual([0, 0]);
    expect(supervisor?.restarts).toBe(2);
    expect(supervisor?.runningWorkers).toEqual([0]);
    await supervisor?.stop();
    expect(supervisor?.runningWorkers).toEqual([]);
    expect(counters.get(CELL)).toBe(0);
  });
});
