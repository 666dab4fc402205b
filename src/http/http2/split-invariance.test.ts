import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  block,
  CLIENT_HELLO,
  continuation,
  data,
  frame,
  GET,
  headers,
  headersOf,
  incremental,
  indexed,
  OK,
  POST,
  ping,
  priority,
  reset,
  SERVER_HELLO,
  settings,
  windowUpdate,
} from './frame-script.ts';
import { RecordedClient } from './recorded-client.ts';
import { RecordedServer } from './recorded-server.ts';

/** Requests with everything in them that a read may cut in two. */
const CONVERSATION = Buffer.concat([
  CLIENT_HELLO,
  headersOf(1, Buffer.concat([block(POST), incremental('x-a', 'b')]), 4),
  data(1, 'padded body', false, 9),
  settings([4, 70_000], [1, 100]),
  ping(),
  headersOf(3, block(GET.slice(0, 2)), 1),
  continuation(3, block(GET.slice(2))),
  continuation(3, indexed(62), true),
  data(1, 'rest'),
  headers(1, [['grpc-status', '0']], true),
  frame(0x77, 1, 5, Buffer.alloc(20)),
  priority(9, 1),
  headers(5, POST),
  windowUpdate(5, 100),
  windowUpdate(0, 100),
  data(5, 'abc', true),
  headers(7, POST),
  reset(7),
  headers(9, [[':method', 'GET']], true),
  data(5, 'late'),
]);

/** Events with neighbouring body slices joined: where they are cut is the one thing that may differ. */
function joined(events: readonly string[]): string[] {
  const result: string[] = [];
  for (const event of events) {
    const [, head = '', text = ''] = /^([0-9]+ body )(.*)$/s.exec(event) ?? [];
    const last = result.at(-1);
    if (head !== '' && last?.startsWith(head)) result[result.length - 1] = last + text;
    else result.push(event);
  }
  return result;
}

function outcome(bytes: Buffer, cuts: readonly number[]): { events: string[]; sent: string[]; fault: string } {
  const server = new RecordedServer();
  let start = 0;
  for (const cut of [...cuts, bytes.length]) {
    // A buffer of its own for each piece, overwritten after: nothing lent may be kept.
    const piece = Buffer.from(bytes.subarray(start, cut));
    server.receive(piece);
    piece.fill(0xaa);
    start = cut;
  }
  return { events: joined(server.events), sent: server.sent(), fault: server.fault };
}

describe('the same bytes mean the same, however they are cut', () => {
  const whole = outcome(CONVERSATION, []);

  test('the conversation is understood', () => {
    expect(whole.fault).toBe('');
    expect(whole.events).toContain('1 trailers grpc-status=0');
    expect(whole.events).toContain('3 end');
    expect(whole.sent.at(-1)).toBe('RST_STREAM 5 STREAM_CLOSED');
  });

  test('in two pieces, at every position', () => {
    for (let cut = 1; cut < CONVERSATION.length; cut += 1) {
      expect(outcome(CONVERSATION, [cut]), `cut at ${cut}`).toEqual(whole);
    }
  });

  test('a byte at a time', () => {
    const cuts = Array.from({ length: CONVERSATION.length - 1 }, (_, index) => index + 1);
    expect(outcome(CONVERSATION, cuts)).toEqual(whole);
  });

  test('in any pieces, also when some byte is wrong', () => {
    const length = CONVERSATION.length;
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: length - 1 }), { maxLength: 12 }),
        fc.integer({ min: 24, max: length - 1 }),
        fc.integer({ min: 0, max: 255 }),
        (cuts, at, byte) => {
          const bytes = Buffer.from(CONVERSATION);
          bytes[at] = byte;
          const inOrder = [...new Set(cuts)].sort((a, b) => a - b);
          expect(outcome(bytes, inOrder)).toEqual(outcome(bytes, []));
        },
      ),
      { numRuns: 500 },
    );
  });
});

test('responses too, at every position', () => {
  const bytes = Buffer.concat([
    SERVER_HELLO,
    headers(1, [
      [':status', '103'],
      ['link', '</a>'],
    ]),
    headersOf(1, block([...OK, ['content-length', '5']]), 0),
    continuation(1, block([['x-a', 'b']]), true),
    data(1, 'hello', false, 3),
    headers(1, [['x-t', '1']], true),
    headers(3, [[':status', '204']], true),
  ]);
  const outcomeOf = (cut: number): unknown => {
    const client = new RecordedClient();
    client.open();
    client.open();
    client.receive(bytes.subarray(0, cut)).receive(bytes.subarray(cut));
    return [joined(client.events), client.sentBytes().toString('hex'), client.fault];
  };
  const whole = outcomeOf(bytes.length);
  for (let cut = 1; cut < bytes.length; cut += 1) expect(outcomeOf(cut), `cut at ${cut}`).toEqual(whole);
});

test('arbitrary bytes throw nothing and keep to the bounds', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 20 }), (pieces) => {
      const server = RecordedServer.greeted();
      for (const piece of pieces) server.receive(Buffer.from(piece));
      expect(server.output.length).toBeLessThan(64 * 1024);
    }),
    { numRuns: 500 },
  );
});

test('frames of arbitrary type, flags, stream and payload throw nothing and keep to the bounds', () => {
  const anyFrame = fc
    .tuple(
      fc.integer({ min: 0, max: 10 }),
      fc.integer({ min: 0, max: 255 }),
      fc.integer({ min: 0, max: 9 }),
      fc.uint8Array({ maxLength: 40 }),
    )
    .map(([type, flags, streamId, payload]) => frame(type, flags, streamId, payload));
  const soundFrame = fc.constantFrom(
    headers(1, POST),
    headers(3, GET, true),
    data(1, 'x'),
    data(1, 'y', true),
    reset(1),
    windowUpdate(0, 5),
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(anyFrame, soundFrame), { maxLength: 30 }), (frames) => {
      const server = RecordedServer.greeted();
      for (const each of frames) server.receive(each);
      server.sent();
      const ends = server.events.filter((event) => event.startsWith('1 end') || event.startsWith('1 reset'));
      expect(ends.filter((event) => event === '1 end').length).toBeLessThanOrEqual(1);
      if (server.fault !== '') expect(server.connection.openStreams).toBe(0);
    }),
    { numRuns: 1000 },
  );
});
