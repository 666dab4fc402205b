import { once } from 'node:events';
import net from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { seededRandom } from '../../../src/base/random.ts';
import {
  CLIENT_HELLO,
  data,
  frame,
  GET,
  headers,
  headersOf,
  POST,
  settings,
  uint32,
  windowUpdate,
} from '../../../src/http/http2/frame-script.ts';
import { AttackedListener, Growth } from './attacked-listener.ts';

const CONNECTIONS = 20_000;
const AT_A_TIME = 100;
/** What the first thousands leave behind is code, tables and buffers that are kept. */
const WARM_UP = 6_000;
/** A hundred bytes for each connection would be as much. */
const MOST_GROWTH_BYTES = 2_000_000;

const noise = seededRandom(3);

/** Each ends its connection, or leaves it for us to end. */
const ENDS: readonly (() => Buffer)[] = [
  () => Buffer.concat([CLIENT_HELLO, windowUpdate(0, 2 ** 31 - 1)]),
  () => Buffer.concat([CLIENT_HELLO, headersOf(1, Buffer.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff), 5)]),
  () => Buffer.concat([CLIENT_HELLO, headers(1, POST), data(1, 'part'), frame(5, 4, 1, uint32(2))]),
  () => Buffer.concat([CLIENT_HELLO, headers(1, POST), frame(6, 0, 1, Buffer.alloc(8))]),
  () => Buffer.concat([CLIENT_HELLO, headers(1, GET, true), headers(1, GET, true), headers(2, GET, true)]),
  () => Buffer.concat([CLIENT_HELLO, settings(...Array.from({ length: 33 }, () => [4, 1] as const))]),
  () => Buffer.concat([CLIENT_HELLO, Buffer.from(Array.from({ length: 400 }, () => noise.uint32() & 0xff))]),
  () => Buffer.concat([CLIENT_HELLO.subarray(0, 20), Buffer.from('nothing of the kind\r\n\r\n')]),
  () => CLIENT_HELLO.subarray(0, 30),
  () => Buffer.concat([CLIENT_HELLO, headers(1, POST)]),
];

let listener: AttackedListener;

beforeEach(async () => {
  listener = new AttackedListener();
  await listener.start({ codecType: 'http2' });
});

afterEach(() => listener.stop());

/** Says one hostile thing and is gone, by reset, when we have ended it or after a moment. */
async function visit(index: number): Promise<void> {
  const socket = net.connect({ port: listener.port, host: '127.0.0.1' });
  socket.on('error', () => undefined);
  const gone = once(socket, 'close');
  socket.resume();
  socket.write((ENDS[index % ENDS.length] ?? (() => CLIENT_HELLO))());
  socket.once('data', () => setImmediate(() => socket.resetAndDestroy()));
  socket.once('end', () => socket.resetAndDestroy());
  await gone;
}

async function visits(count: number): Promise<void> {
  for (let begun = 0; begun < count; begun += AT_A_TIME) {
    await Promise.all(Array.from({ length: AT_A_TIME }, (_, index) => visit(begun + index)));
  }
  while (listener.openConnections() > 0 || listener.openRequests() > 0) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test('attack 13: after 20,000 hostile connections, memory and handles are where they were', {
  timeout: 180_000,
}, async () => {
  await visits(WARM_UP);
  const handles = process.getActiveResourcesInfo().length;
  const growth = new Growth(listener);
  await visits(CONNECTIONS);
  growth.look();
  expect(growth.mostBytes).toBeLessThan(MOST_GROWTH_BYTES);
  expect(process.getActiveResourcesInfo().length).toBeLessThanOrEqual(handles + 5);
  expect(listener.path.unexpected).toEqual([]);
  expect(listener.path.gauge('cluster', 'web', 'upstream_rq_active')).toBe(0);
});
