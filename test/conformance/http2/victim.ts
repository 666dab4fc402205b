import { expect } from 'vitest';
import { RecordedServer } from '../../../src/http/http2/recorded-server.ts';

/**
 * The published attacks on HTTP/2 servers, each against the codec with an owner that is in no hurry: it credits nothing and
 * its upstream work never ends, unless the row says otherwise. What counts: who is ended, with which code, and that what is
 * kept stays within the limits.
 */

const STUCK_OWNER = { credits: false, releases: false };
const MAX_FRAMES = 50_000;
/** More than any row may make the codec hold for sending. */
const MOST_OUTPUT_BYTES = 64 * 1024;

export function victim(limits = {}): RecordedServer {
  return RecordedServer.greeted(limits, STUCK_OWNER);
}

/** Sends what `frameOf` makes until the connection ends, and answers how many it took. The peer reads nothing. */
export function flood(server: RecordedServer, frameOf: (index: number) => Buffer): number {
  server.sent(true);
  for (let index = 0; index < MAX_FRAMES; index += 1) {
    if (server.fault !== '') return index;
    server.receive(frameOf(index));
    expect(server.output.length).toBeLessThan(MOST_OUTPUT_BYTES);
  }
  return MAX_FRAMES;
}

/** The same with a peer that reads everything. */
export function floodReading(server: RecordedServer, frameOf: (index: number) => Buffer): number {
  for (let index = 0; index < MAX_FRAMES; index += 1) {
    if (server.fault !== '') return index;
    server.receive(frameOf(index));
    if (server.fault === '') server.sentBytes();
  }
  return MAX_FRAMES;
}

export const streamAt = (index: number): number => 2 * index + 1;

export function endsCalmly(server: RecordedServer, reason: string): void {
  expect(server.fault).toBe(reason);
  expect(server.connection.fault?.code).toBe(0xb);
  expect(server.sent().at(-1)).toMatch(new RegExp(`^GOAWAY [0-9]+ ENHANCE_YOUR_CALM ${reason}$`));
  expect(server.connection.openStreams).toBe(0);
}
