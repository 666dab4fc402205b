import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type CallStatus, GrpcStatus } from './grpc-status.ts';
import { MessageReader } from './message-reader.ts';

const MAX_BYTES = 2_000;

/** Stops reading before each message of which `stopsBefore` names the number, once. */
class Recorder {
  readonly messages: string[] = [];
  readonly faults: CallStatus[] = [];
  isReading = true;
  readonly #stopsAfter: ReadonlySet<number>;

  constructor(stopsAfter: readonly number[] = []) {
    this.#stopsAfter = new Set(stopsAfter);
  }

  onMessage(bytes: Buffer): void {
    this.messages.push(bytes.toString('latin1'));
    if (this.#stopsAfter.has(this.messages.length)) this.isReading = false;
  }

  onFault(status: CallStatus): void {
    this.faults.push(status);
  }
}

function framed(text: string, flags = 0): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt8(flags, 0);
  prefix.writeUInt32BE(text.length, 1);
  return Buffer.concat([prefix, Buffer.from(text, 'latin1')]);
}

test('messages are the same however their bytes are cut, and nothing is lost where the sink pauses', () => {
  const sizes = fc.array(fc.nat({ max: MAX_BYTES }), { maxLength: 6 });
  const cuts = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1 });
  const stops = fc.array(fc.integer({ min: 1, max: 6 }), { maxLength: 3 });
  fc.assert(
    fc.property(sizes, cuts, stops, (lengths, pieces, stopsAfter) => {
      const texts = lengths.map((length, index) => String(index % 10).repeat(length));
      const bytes = Buffer.concat(texts.map((text) => framed(text)));
      const sink = new Recorder(stopsAfter);
      const reader = new MessageReader(sink, MAX_BYTES);
      for (let at = 0, cut = 0; at < bytes.length; cut += 1) {
        const end = Math.min(bytes.length, at + (pieces[cut % pieces.length] ?? 1));
        at = reader.read(bytes, at, end);
        sink.isReading = true;
      }
      expect(sink.messages).toEqual(texts);
      expect(reader.isInside).toBe(false);
    }),
  );
});

test.each<[string, Buffer, number, RegExp]>([
  ['too long', framed('x'.repeat(MAX_BYTES + 1)), GrpcStatus.RESOURCE_EXHAUSTED, /2001 bytes, at most 2000/],
  ['compressed', framed('x', 1), GrpcStatus.UNIMPLEMENTED, /identity/],
  ['of unknown flags', framed('x', 2), GrpcStatus.INTERNAL, /flags 2/],
])('a message that is %s is refused by its prefix, and nothing behind it is read', (_title, bytes, code, details) => {
  const sink = new Recorder();
  const reader = new MessageReader(sink, MAX_BYTES);
  const all = Buffer.concat([framed('good'), bytes.subarray(0, 5), framed('late')]);
  expect(reader.read(all, 0, all.length)).toBe(all.length);
  expect(sink.messages).toEqual(['good']);
  expect(sink.faults).toMatchObject([{ code, details: expect.stringMatching(details) }]);
});

test('an announced length costs nothing before its bytes come', () => {
  const sink = new Recorder();
  const readers = Array.from({ length: 10_000 }, () => new MessageReader(sink, 0xffff_ffff));
  const prefix = Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 1]);
  const before = process.memoryUsage().arrayBuffers;
  for (const reader of readers) reader.read(prefix, 0, prefix.length);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(readers.length * 2_048);
  expect(readers.every(({ isInside }) => isInside)).toBe(true);
});
