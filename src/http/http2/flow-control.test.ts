import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteBudget } from '../../base/byte-budget.ts';
import { data, GET, headers, POST, reset, settings, windowUpdate } from './frame-script.ts';
import { RecordedServer } from './recorded-server.ts';

const CONNECTION_WINDOW = 1024 * 1024;
const chunk = (length: number): Buffer => Buffer.alloc(length, 'x');

function answering(server: RecordedServer, id: number): ReturnType<RecordedServer['stream']> {
  server.receive(headers(id, GET, true));
  const stream = server.stream(id);
  stream.sendLocalHead(200, [], -1);
  server.sent();
  return stream;
}

describe('receiving', () => {
  test('a consumer that credits nothing is sent no more than one window', () => {
    const server = RecordedServer.greeted({}, { credits: false }).receive(headers(1, POST));
    for (let sent = 0; sent < 4; sent += 1) server.receive(data(1, chunk(16_384)));
    expect(server.sent()).toEqual([]);
    expect(server.bodyBytes).toBe(65_536);
    server.receive(data(1, 'x'));
    expect(server.sent()).toEqual(['RST_STREAM 1 FLOW_CONTROL_ERROR']);
    expect(server.bodyBytes).toBe(65_536);
  });

  test('credit is announced when half a window is owed', () => {
    const server = RecordedServer.greeted({}, { credits: false }).receive(headers(1, POST), data(1, chunk(16_384)));
    server.receive(data(1, chunk(16_384)), data(1, chunk(16_384)));
    server.stream(1).credit(32_767);
    expect(server.sent()).toEqual([]);
    server.stream(1).credit(1);
    expect(server.sent()).toEqual(['WINDOW_UPDATE 1 32768']);
    expect(server.stream(1).uncreditedBytes).toBe(16_384);
  });

  test('credit for more than was received is not given', () => {
    const server = RecordedServer.greeted({}, { credits: false }).receive(headers(1, POST), data(1, chunk(10)));
    server.stream(1).credit(1_000_000);
    expect(server.sent()).toEqual([]);
    expect(server.stream(1).uncreditedBytes).toBe(0);
  });

  test('the connection window bounds all streams together', () => {
    const limits = { connectionWindowBytes: 100_000 };
    const server = RecordedServer.greeted(limits, { credits: false }).receive(headers(1, POST), headers(3, POST));
    for (const id of [1, 3]) for (let sent = 0; sent < 3; sent += 1) server.receive(data(id, chunk(16_384)));
    server.receive(data(3, chunk(1696)));
    expect(server.fault).toBe('');
    server.receive(data(3, chunk(1)));
    expect(server.fault).toBe('connection-window-exceeded');
  });

  test('a smaller stream window holds without deadlock', () => {
    const server = RecordedServer.greeted({ streamWindowBytes: 1000 }).receive(headers(1, POST));
    server.receive(data(1, chunk(499)));
    expect(server.sent()).toEqual([]);
    server.receive(data(1, chunk(1)));
    expect(server.sent()).toEqual(['WINDOW_UPDATE 1 500']);
  });

  describe('the window of a long body', () => {
    const GROWS = { maxStreamWindowBytes: 262_144, maxWindowGrowthBytes: 196_608 };
    /** Increments announced for a stream while it is sent so many frames of 16 KiB. */
    const increments = (server: RecordedServer, id: number, frames: number): number[] => {
      for (let sent = 0; sent < frames; sent += 1) server.receive(data(id, chunk(16_384)));
      const prefix = `WINDOW_UPDATE ${id} `;
      return server.sent().flatMap((frame) => (frame.startsWith(prefix) ? [Number(frame.slice(prefix.length))] : []));
    };
    const upTo = (wanted: number, seen: readonly number[]): number => seen.findIndex((bytes) => bytes > wanted);

    test('doubles once it was used up four times, as far as it may', () => {
      const server = RecordedServer.greeted(GROWS).receive(headers(1, POST));
      const seen = increments(server, 1, 128);
      expect(upTo(32_768, seen)).toBe(7);
      expect(seen.slice(7, 9)).toEqual([32_768 + 65_536, 65_536]);
      expect(seen).toContain(65_536 + 131_072);
      expect(Math.max(...seen)).toBe(65_536 + 131_072);
      expect(seen.at(-1)).toBe(131_072);
      expect(server.fault).toBe('');
    });

    test('stays while the consumer keeps bytes back, and where nothing may grow', () => {
      const lagging = RecordedServer.greeted(GROWS, { credits: false }).receive(headers(1, POST));
      const seen: number[] = [];
      for (let round = 0; round < 32; round += 1) {
        increments(lagging, 1, 2);
        lagging.stream(1).credit(32_768);
        seen.push(...increments(lagging, 1, 0));
      }
      expect(new Set(seen)).toEqual(new Set([32_768]));
      const fixed = RecordedServer.greeted().receive(headers(1, POST));
      expect(new Set(increments(fixed, 1, 64))).toEqual(new Set([32_768]));
    });

    test('grows at no expense of other streams, and what a stream has grown by is free again once it ends', () => {
      const server = RecordedServer.greeted({ ...GROWS, maxWindowGrowthBytes: 65_536 });
      server.receive(headers(1, POST), headers(3, POST));
      expect(Math.max(...increments(server, 1, 32))).toBe(98_304);
      expect(server.connection.receiveCredit.available + server.connection.receiveCredit.owed).toBe(
        CONNECTION_WINDOW + 65_536,
      );
      expect(Math.max(...increments(server, 3, 32))).toBe(32_768);
      server.receive(reset(1, 8));
      expect(server.connection.receiveCredit.available + server.connection.receiveCredit.owed).toBe(CONNECTION_WINDOW);
      expect(Math.max(...increments(server, 3, 32))).toBe(98_304);
    });

    describe('with a budget that many connections share', () => {
      const growing = (windowGrowth: ByteBudget): RecordedServer => {
        const limits = { ...GROWS, maxStreamWindowBytes: 131_072 };
        return RecordedServer.greeted(limits, { windowGrowth }).receive(headers(1, POST));
      };

      test('grows while there is some left, and is counted where there is not', () => {
        const counted = { held: 0, refused: 0 };
        const windowGrowth = new ByteBudget(65_536, {
          heldBytes: { add: (bytes) => (counted.held += bytes) },
          refused: { increment: () => (counted.refused += 1) },
        });
        const [first, second] = [growing(windowGrowth), growing(windowGrowth)];
        expect(Math.max(...increments(first, 1, 32))).toBe(98_304);
        expect(counted).toEqual({ held: 65_536, refused: 0 });
        expect(Math.max(...increments(second, 1, 32))).toBe(32_768);
        expect(counted.refused).toBeGreaterThan(0);
        first.connection.lost();
        expect(counted.held).toBe(0);
        expect(Math.max(...increments(second, 1, 32))).toBe(98_304);
      });

      test('gives nothing back before the peer may no longer send it', () => {
        const windowGrowth = new ByteBudget(65_536);
        const server = growing(windowGrowth);
        increments(server, 1, 32);
        server.receive(reset(1, 8));
        // The connection's window is still as wide as it was; any other stream might use it.
        expect(windowGrowth.heldBytes).toBe(65_536);
        const short = (id: number): void => void server.receive(headers(id, POST), data(id, chunk(16_384), true));
        for (let id = 3; id <= 63; id += 2) short(id);
        expect(windowGrowth.heldBytes).toBe(65_536);
        short(65);
        expect(windowGrowth.heldBytes).toBe(0);
      });
    });
  });

  test('no update is sent for a stream that has ended, but the connection gets its own', () => {
    const server = RecordedServer.greeted({ connectionWindowBytes: 65_535 }, { credits: false, releases: false });
    server.receive(headers(1, POST), data(1, chunk(16_384)), data(1, chunk(16_384)), data(1, chunk(10), true));
    server.stream(1).credit(32_778);
    expect(server.sent()).toEqual(['WINDOW_UPDATE 0 32778']);
  });
});

test('a stream reset in the middle of a DATA frame gives back what is still to come of it', () => {
  const server = RecordedServer.greeted({}, { credits: false }).receive(headers(1, POST));
  const bytes = data(1, chunk(10_000));
  server.receive(bytes.subarray(0, 4000));
  server.stream(1).reset(8);
  server.receive(bytes.subarray(4000));
  expect(server.bodyBytes).toBe(4000 - 9);
  const { available, owed } = server.connection.receiveCredit;
  expect(available + owed).toBe(CONNECTION_WINDOW);
});

describe('conservation: what leaves the connection window comes back', () => {
  type Step = { kind: 'data' | 'end' | 'peerReset' | 'ourReset' | 'credit' | 'release'; stream: number; bytes: number };
  const step: fc.Arbitrary<Step> = fc.record({
    kind: fc.constantFrom('data', 'data', 'data', 'end', 'peerReset', 'ourReset', 'credit', 'release'),
    stream: fc.integer({ min: 0, max: 3 }),
    bytes: fc.integer({ min: 1, max: 9000 }),
  });

  test('over any order of data, credit, ends, resets and padding, once all streams have ended', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const server = RecordedServer.greeted({}, { credits: false, releases: false });
        const ids = [1, 3, 5, 7];
        for (const id of ids) server.receive(headers(id, POST));
        for (const { kind, stream: at, bytes } of steps) {
          const id = ids[at] as number;
          const stream = server.stream(id);
          if (kind === 'data') server.receive(data(id, chunk(bytes), false, bytes % 7));
          else if (kind === 'end') server.receive(data(id, '', true));
          else if (kind === 'peerReset') server.receive(reset(id));
          else if (kind === 'ourReset') stream.reset(8);
          else if (kind === 'credit') stream.credit(bytes);
          else if (kind === 'release') stream.release();
          if (server.fault !== '') return;
          const held = ids.reduce((sum, each) => sum + server.stream(each).uncreditedBytes, 0);
          const { available, owed } = server.connection.receiveCredit;
          expect(available + owed + held).toBe(CONNECTION_WINDOW);
        }
        for (const id of ids) {
          server.stream(id).reset(8);
          server.stream(id).release();
        }
        const { available, owed } = server.connection.receiveCredit;
        expect(available + owed).toBe(CONNECTION_WINDOW);
        expect(server.connection.activeStreams).toBe(0);
        expect(server.connection.openStreams).toBe(0);
      }),
      { numRuns: 200 },
    );
  });
});

describe('sending', () => {
  test('stops at the stream window and goes on when it opens, in order', () => {
    const server = RecordedServer.greeted();
    server.receive(settings([4, 5]));
    const stream = answering(server, 1);
    stream.sendBodyText('hello world');
    expect(stream.isBackedUp).toBe(true);
    expect(server.sent()).toEqual(['DATA 1 5']);
    server.receive(windowUpdate(1, 1));
    expect(server.sent()).toEqual(['DATA 1 1']);
    expect(server.events).not.toContain('1 writable');
    stream.end();
    server.receive(windowUpdate(1, 100));
    expect(server.sent()).toEqual(['DATA 1 5 end']);
    expect(stream.isClosed).toBe(true);
  });

  test('tells the owner when what waited has gone', () => {
    const server = RecordedServer.greeted();
    server.receive(settings([4, 5]));
    const stream = answering(server, 1);
    stream.sendBodyText('hello world');
    server.receive(windowUpdate(1, 6));
    expect(server.events.at(-1)).toBe('1 writable');
    expect(stream.isBackedUp).toBe(false);
  });

  test('trailers wait behind the body, and are copied', () => {
    const server = RecordedServer.greeted();
    server.receive(settings([4, 1]));
    const stream = answering(server, 1);
    const trailers = ['grpc-status', '0'];
    stream.sendBodyText('ab');
    stream.sendTrailers(trailers);
    trailers[1] = 'changed';
    expect(server.sent()).toEqual(['DATA 1 1']);
    server.receive(windowUpdate(1, 1));
    expect(server.sent()).toEqual(['DATA 1 1', 'HEADERS 1 grpc-status=0 end']);
  });

  test('the connection window is shared, a frame of each stream in turn', () => {
    const server = RecordedServer.greeted();
    const streams = [1, 3, 5].map((id) => answering(server, id));
    streams[0]?.sendBody(chunk(65_535), 0, 65_535);
    server.sent();
    for (const stream of streams) stream.sendBody(chunk(40_000), 0, 40_000);
    expect(server.sent()).toEqual([]);
    server.receive(windowUpdate(0, 50_000), windowUpdate(1, 100_000));
    expect(server.sent()).toEqual(['DATA 3 16384', 'DATA 5 16384', 'DATA 3 16384', 'DATA 5 848']);
  });

  test('a window made smaller by settings goes below zero and is waited out (§6.9.2)', () => {
    const server = RecordedServer.greeted();
    const stream = answering(server, 1);
    stream.sendBodyText('x'.repeat(100));
    server.sent();
    server.receive(settings([4, 50]));
    stream.sendBodyText('y');
    server.receive(windowUpdate(1, 50));
    expect(server.sent()).toEqual(['SETTINGS ack']);
    server.receive(windowUpdate(1, 1));
    expect(server.sent()).toEqual(['DATA 1 1']);
  });

  test('a socket that is backed up makes bodies wait, not control frames', () => {
    const server = RecordedServer.greeted();
    const stream = answering(server, 1);
    stream.sendBodyText('first');
    server.sent(true);
    stream.sendBodyText('second');
    stream.end();
    expect(server.sent(true)).toEqual([]);
    expect(stream.isBackedUp).toBe(true);
    server.connection.onSocketDrained();
    expect(server.sent()).toEqual(['DATA 1 6 end']);
  });

  test('one turn gathers no more output than its bound', () => {
    const server = RecordedServer.greeted({ maxOutputBytes: 50_000 });
    server.receive(settings([4, 1_000_000]), windowUpdate(0, 1_000_000));
    const stream = answering(server, 1);
    stream.sendBody(chunk(100_000), 0, 100_000);
    expect(server.output.length).toBeLessThan(50_000 + 16_384 + 100);
    let sent = 0;
    while (server.output.length > 0) for (const frame of server.sentFrames()) sent += frame.payload.length;
    expect(sent).toBe(100_000);
    expect(stream.isBackedUp).toBe(false);
  });

  test('an owner that does not stop at back-pressure loses the stream, not the process', () => {
    const server = RecordedServer.greeted({ maxSendBufferBytes: 1000 });
    server.receive(settings([4, 0]));
    const stream = answering(server, 1);
    stream.sendBody(chunk(1000), 0, 1000);
    expect(server.events.at(-1)).not.toContain('reset');
    stream.sendBody(chunk(1), 0, 1);
    expect(server.events.at(-1)).toBe('1 reset send-buffer-overflow');
    expect(server.sent()).toEqual(['RST_STREAM 1 INTERNAL_ERROR']);
  });

  test('every byte goes once and in order, whatever the windows, sizes and stalls', () => {
    const action = fc.record({
      kind: fc.constantFrom('body', 'body', 'stream', 'connection', 'backUp', 'drain'),
      bytes: fc.integer({ min: 1, max: 30_000 }),
    });
    fc.assert(
      fc.property(fc.array(action, { maxLength: 40 }), fc.integer({ min: 0, max: 20_000 }), (actions, firstWindow) => {
        const server = RecordedServer.greeted({ maxSendBufferBytes: 10_000_000 });
        server.receive(settings([4, firstWindow]));
        const stream = answering(server, 1);
        let handed = 0;
        let allowed = firstWindow;
        const received: Buffer[] = [];
        const collect = (isBackedUp: boolean): void => {
          const bytes = server.sentBytes(isBackedUp);
          for (let at = 0; at < bytes.length; ) {
            const length = bytes.readUIntBE(at, 3);
            if (bytes[at + 3] === 0) received.push(bytes.subarray(at + 9, at + 9 + length));
            at += 9 + length;
          }
        };
        for (const { kind, bytes } of actions) {
          if (kind === 'body') {
            const body = Buffer.from(Array.from({ length: bytes }, (_, index) => (handed + index) % 251));
            stream.sendBody(body, 0, bytes);
            handed += bytes;
          } else if (kind === 'stream') {
            server.receive(windowUpdate(1, bytes));
            allowed += bytes;
          } else if (kind === 'connection') server.receive(windowUpdate(0, bytes));
          else if (kind === 'backUp') collect(true);
          else server.connection.onSocketDrained();
          if (server.fault !== '') return;
        }
        stream.end();
        collect(false);
        expect(Buffer.concat(received).length).toBeLessThanOrEqual(allowed);
        server.receive(windowUpdate(1, 10_000_000), windowUpdate(0, 10_000_000));
        if (server.fault !== '') return;
        while (server.output.length > 0) collect(false);
        const all = Buffer.concat(received);
        expect(all.length).toBe(handed);
        expect(all.every((byte, index) => byte === index % 251)).toBe(true);
        expect(stream.isClosed).toBe(true);
      }),
      { numRuns: 100 },
    );
  });
});
