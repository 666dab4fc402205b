import fc from 'fast-check';
import { expect, test } from 'vitest';
import { HeaderEdits } from '../header-edits.ts';
import { Http2ClientConnection } from './client-connection.ts';
import { DEFAULT_HTTP2_LIMITS, type Http2Limits } from './limits.ts';
import { Http2Output } from './output.ts';
import { requestHead } from './recorded-client.ts';
import { Http2ServerConnection } from './server-connection.ts';
import type { Http2ServerStream } from './server-stream.ts';

interface Exchange {
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly hasTrailers: boolean;
}

const PIECE_BYTES = 3000;
const IGNORED = {
  onConnectionFault: fail,
  onDrained() {},
  onStreamRefused() {},
  onPingAcknowledged() {},
  onCapacity() {},
  onPeerDraining() {},
};

function fail(): void {
  throw new Error('the connection failed');
}

/** Byte `at` of message `id`: every byte shows where it belongs. */
const byteOf = (id: number, at: number): number => (id * 31 + at) % 251;

/** Sends a message as fast as it is taken, a piece at a time. */
function sender(id: number, length: number, hasTrailers: boolean): (stream: Sending | undefined) => void {
  let sent = 0;
  let isDone = false;
  return (stream) => {
    while (stream !== undefined && !stream.isBackedUp && sent < length) {
      const end = Math.min(length, sent + PIECE_BYTES);
      const start = sent;
      const piece = Buffer.from(Array.from({ length: end - start }, (_, index) => byteOf(id, start + index)));
      sent = end;
      stream.sendBody(piece, 0, piece.length);
    }
    if (stream === undefined || isDone || sent < length) return;
    isDone = true;
    if (hasTrailers) stream.sendTrailers(['x-done', String(id)]);
    else stream.end();
  };
}

type Sending = Pick<Http2ServerStream, 'isBackedUp' | 'sendBody' | 'sendTrailers' | 'end'>;

function run(exchanges: readonly Exchange[], limits: Http2Limits, nextCut: () => number): string[] {
  const results: string[] = [];
  const clientOutput = new Http2Output(() => {});
  const serverOutput = new Http2Output(() => {});
  const client = new Http2ClientConnection(IGNORED, clientOutput, limits, 0);
  const server = new Http2ServerConnection(
    {
      ...IGNORED,
      onRequestHead: (stream, head) => {
        const index = Number(head.path.slice(1));
        const { requestBytes, responseBytes, hasTrailers } = exchanges[index] as Exchange;
        let received = 0;
        stream.sendLocalHead(200, [], responseBytes);
        const send = sender(index + 100, responseBytes, hasTrailers);
        send(stream);
        return {
          onBody: (buffer, start, end) => {
            for (let at = start; at < end; at += 1) {
              if (buffer[at] !== byteOf(index, received++)) throw new Error('a byte of the request is not its own');
            }
            stream.credit(end - start);
          },
          onTrailers() {},
          onEnd: () => {
            results.push(`request ${index}: ${received === requestBytes}`);
            stream.release();
          },
          onReset: fail,
          onWritable: () => send(stream),
        };
      },
    },
    serverOutput,
    limits,
    0,
  );
  for (const [index, { requestBytes, responseBytes, hasTrailers }] of exchanges.entries()) {
    const line = { method: 'POST', scheme: 'http', authority: 'a', path: `/${index}`, upgrade: '' } as const;
    const send = sender(index, requestBytes, hasTrailers);
    let received = 0;
    const stream = client.open(requestHead(), new HeaderEdits(), line, requestBytes, {
      onInformational() {},
      onResponseHead() {},
      onBody: (buffer, start, end) => {
        for (let at = start; at < end; at += 1) {
          if (buffer[at] !== byteOf(index + 100, received++)) throw new Error('a byte of the response is not its own');
        }
        stream.credit(end - start);
      },
      onTrailers() {},
      onEnd: () => results.push(`response ${index}: ${received === responseBytes}`),
      onReset: fail,
      onWritable: () => send(stream),
    });
    send(stream);
  }
  const carry = (from: Http2Output, sent: { outputTaken(b: boolean): void }, to: { receive: Receive }): boolean => {
    if (from.length === 0) return false;
    const bytes = Buffer.from(from.bytes.subarray(0, from.length));
    sent.outputTaken(false);
    for (let start = 0; start < bytes.length; ) {
      const end = Math.min(bytes.length, start + nextCut());
      to.receive(bytes, start, end, 0);
      start = end;
    }
    return true;
  };
  for (let hasMoved = true; hasMoved; ) {
    hasMoved = carry(clientOutput, client, server);
    hasMoved = carry(serverOutput, server, client) || hasMoved;
  }
  expect([client.openStreams, server.openStreams, server.activeStreams]).toEqual([0, 0, 0]);
  const { available, owed } = server.receiveCredit;
  expect(available + owed).toBe(Math.max(limits.connectionWindowBytes, 65_535));
  return results.sort();
}

type Receive = (buffer: Buffer, start: number, end: number, nowMs: number) => void;

test('messages of any size pass both ways at once, whole, through windows of any size and reads of any length', () => {
  const size = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 150_000 }));
  const exchange = fc.record({ requestBytes: size, responseBytes: size, hasTrailers: fc.boolean() });
  fc.assert(
    fc.property(
      fc.array(exchange, { minLength: 1, maxLength: 5 }),
      fc.integer({ min: 2, max: 100_000 }),
      fc.array(fc.integer({ min: 1, max: 40_000 }), { minLength: 1, maxLength: 8 }),
      (exchanges, streamWindowBytes, cuts) => {
        // Windows of a few bytes need as many updates, which is what floods are made of.
        const limits = { ...DEFAULT_HTTP2_LIMITS, streamWindowBytes, maxWindowUpdatesPerDataFrame: 100_000 };
        let cut = 0;
        const results = run(
          exchanges,
          { ...limits, maxQueuedControlFrames: 100_000 },
          () => cuts[cut++ % cuts.length] ?? 1,
        );
        const expected = exchanges.flatMap((_, index) => [`request ${index}: true`, `response ${index}: true`]);
        expect(results).toEqual(expected.sort());
      },
    ),
    // An update for each byte of a frame of 2,007.
    { numRuns: 40, examples: [[[{ requestBytes: 2007, responseBytes: 1, hasTrailers: false }], 2, [1]]] },
  );
});
