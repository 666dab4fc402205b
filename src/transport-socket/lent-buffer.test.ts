import { expect, it } from 'vitest';
import { CopyBuffers } from './copy-buffers.ts';
import { LentBuffer } from './lent-buffer.ts';

const MIB = 1024 * 1024;

/** Holds copies until the worker is crowded; answers them. */
function crowd(copies: CopyBuffers): Buffer[] {
  const held: Buffer[] = [];
  while (!copies.isCrowded) {
    const copy = copies.take(65_536);
    copies.hold(copy);
    held.push(copy);
  }
  return held;
}

it('reads are whole until 32 MiB are held for readers that are stuck, and small from then on', () => {
  const copies = new CopyBuffers();
  const held = crowd(copies);
  expect(copies.heldBytes).toBeLessThan(33 * MIB);
  expect(copies.take(16_384).length).toBeLessThan(17_000);
  for (const copy of held) copies.release(copy);
  expect(copies.heldBytes).toBe(0);
  expect(copies.isCrowded).toBe(false);
});

it('a socket is told of another buffer only when it has to change, and a new socket always', () => {
  const whole = Buffer.alloc(65_536);
  let isCrowded = false;
  const lent = new LentBuffer(whole, () => isCrowded);
  const first = lent.next();
  expect(first).toBe(whole);
  lent.taken(whole);
  expect(lent.next()).toBeUndefined();
  expect(lent.next()).toBe(whole);
  isCrowded = true;
  lent.taken(whole);
  const part = lent.next();
  expect(part?.length).toBe(16_384);
  expect(part?.buffer).toBe(whole.buffer);
  lent.taken(part ?? whole);
  expect(lent.next()).toBeUndefined();
  isCrowded = false;
  lent.taken(part ?? whole);
  expect(lent.next()).toBe(whole);
});

it('buffers that were written come back into use', () => {
  const copies = new CopyBuffers();
  const large = copies.take(60_000);
  copies.giveBack(large);
  expect(copies.take(10_000)).toBe(large);
  const small = copies.take(10_000);
  copies.giveBack(small);
  expect(copies.take(9_000)).toBe(small);
});
