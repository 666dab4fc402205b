import { describe, expect, test } from 'vitest';
import { CopyBuffers, GATHERED_BYTES } from './copy-buffers.ts';
import { TurnOutput } from './turn-output.ts';

const BODY = Buffer.from('0123456789', 'latin1');

/** All of it as text, and whether it came in a buffer; the buffer is given back. */
function taken(output: TurnOutput, copies: CopyBuffers): { readonly text: string; readonly inBuffer: boolean } {
  const { length } = output;
  const text = output.takeText();
  const buffer = output.takeBuffer();
  if (buffer === undefined) return { text, inBuffer: false };
  expect(text).toBe('');
  copies.giveBack(buffer);
  return { text: buffer.toString('latin1', 0, length), inBuffer: true };
}

describe('the output of one turn', () => {
  test('a head, a body and what follows leave in one buffer, in order', () => {
    const copies = new CopyBuffers();
    const output = new TurnOutput(copies);
    output.addText('head ');
    output.addBytes(BODY, 2, 5, ' suffix', true);
    output.addBytes(BODY, 0, 1, '', true);
    output.addText(' behind');
    expect(output.length).toBe(23);
    expect(taken(output, copies)).toEqual({ text: 'head 234 suffix0 behind', inBuffer: true });
    expect(output.isEmpty).toBe(true);
  });

  test('text alone stays text, as do bytes that may not borrow', () => {
    const copies = new CopyBuffers();
    const output = new TurnOutput(copies);
    output.addText('head ');
    output.addBytes(BODY, 0, 3, '', false);
    expect(taken(output, copies)).toEqual({ text: 'head 012', inBuffer: false });
  });

  test('what does not fit into the buffer leaves whole as text', () => {
    const copies = new CopyBuffers();
    const output = new TurnOutput(copies);
    const long = Buffer.alloc(GATHERED_BYTES - 5, 'x');
    output.addBytes(BODY, 0, 10, '', true);
    output.addBytes(long, 0, long.length, '', true);
    expect(taken(output, copies)).toEqual({ text: `0123456789${long.toString()}`, inBuffer: false });
    output.addBytes(BODY, 0, 10, '', true);
    output.addText(long.toString());
    expect(taken(output, copies)).toEqual({ text: `0123456789${long.toString()}`, inBuffer: false });
  });

  test('the bytes are copied: the next read may overwrite what it was lent', () => {
    const copies = new CopyBuffers();
    const output = new TurnOutput(copies);
    const lent = Buffer.from('lent');
    output.addBytes(lent, 0, 4, '', true);
    lent.fill('x');
    expect(taken(output, copies).text).toBe('lent');
  });

  test('a larger copy takes all of it over', () => {
    const copies = new CopyBuffers();
    const output = new TurnOutput(copies);
    output.addText('a');
    output.addBytes(BODY, 0, 2, '', true);
    output.addText('b');
    const target = Buffer.alloc(4);
    output.moveTo(target);
    expect(target.toString()).toBe('a01b');
    expect(output.isEmpty).toBe(true);
  });

  test('a worker lends a bounded number of buffers; without one bytes are text', () => {
    const copies = new CopyBuffers();
    const outputs = Array.from({ length: 400 }, () => new TurnOutput(copies));
    for (const output of outputs) output.addBytes(BODY, 0, 10, '', true);
    const results = outputs.map((output) => taken(output, copies));
    expect(results.filter(({ inBuffer }) => inBuffer).length).toBe(256);
    expect(results.every(({ text }) => text === '0123456789')).toBe(true);
  });

  test('given up, it gives its buffer back; held for a reader that is gone, its place is free again', () => {
    const copies = new CopyBuffers();
    for (let round = 0; round < 600; round++) {
      const output = new TurnOutput(copies);
      output.addBytes(BODY, 0, 10, '', true);
      const buffer = round % 2 === 0 ? undefined : output.takeBuffer();
      output.clear();
      if (buffer === undefined) continue;
      copies.hold(buffer);
      copies.abandon(buffer);
    }
    expect(copies.heldBytes).toBe(0);
    expect(copies.takeForTurn()).toHaveLength(GATHERED_BYTES);
  });
});
