import { once } from 'node:events';
import http2 from 'node:http2';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import {
  block,
  CLIENT_HELLO,
  continuation,
  data,
  GET,
  headers,
  headersOf,
  indexed,
  POST,
  ping,
  priority,
  reset,
  settings,
  windowUpdate,
} from '../../../src/http/http2/frame-script.ts';
import { type EchoServer, startEchoServer } from './echo-server.ts';

const streamAt = (index: number): number => 2 * index + 1;
/** More pings than may be answered in one turn: what the kernel takes from us it would otherwise hold, unread, for long. */
const FRAMES_PER_WRITE = 1200;
const MOST_WRITES = 100;
const BYSTANDER_REQUESTS = 200;

const BOMB = Buffer.concat([block(GET), Buffer.alloc(2000, indexed(16))]);

/** Frames to send over and over, and the names of the faults that may end it. */
const ATTACKS: Record<string, { frameOf: (index: number) => Buffer; faults: readonly string[] }> = {
  'Rapid Reset': {
    frameOf: (index) => Buffer.concat([headers(streamAt(index), GET), reset(streamAt(index))]),
    faults: ['too-many-resets'],
  },
  MadeYouReset: {
    frameOf: (index) => Buffer.concat([headers(streamAt(index), POST), windowUpdate(streamAt(index), 0)]),
    faults: ['too-many-resets'],
  },
  'CONTINUATION flood': {
    frameOf: (index) => (index === 0 ? headersOf(1, block(GET), 0) : continuation(1, block([['a', 'b']]))),
    faults: ['continuation-flood'],
  },
  'HPACK bomb': {
    frameOf: (index) => headersOf(streamAt(index), BOMB, 5),
    faults: ['too-many-resets'],
  },
  'ping flood, answers unread': { frameOf: () => ping(), faults: ['control-frame-flood'] },
  'settings flood, acks unread': { frameOf: () => settings([4, 65_535]), faults: ['control-frame-flood'] },
  'empty frames': {
    frameOf: (index) => (index === 0 ? headers(1, POST) : data(1, '')),
    faults: ['empty-frame-flood'],
  },
  'PRIORITY flood': { frameOf: (index) => priority(streamAt(index), 0), faults: ['priority-flood'] },
  'WINDOW_UPDATE flood': { frameOf: () => windowUpdate(0, 1), faults: ['window-update-flood'] },
};

/** Writes without ever reading until the server has ended the connection. */
async function attack(server: EchoServer, frameOf: (index: number) => Buffer): Promise<void> {
  const socket = connect({ port: server.port, host: '127.0.0.1' });
  socket.on('error', () => {});
  socket.pause();
  await once(socket, 'connect');
  socket.write(CLIENT_HELLO);
  for (let write = 0, index = 0; write < MOST_WRITES && server.faults.length === 0; write += 1) {
    const frames = Array.from({ length: FRAMES_PER_WRITE }, () => frameOf(index++));
    socket.write(Buffer.concat(frames));
    await new Promise((resolve) => setImmediate(resolve));
  }
  socket.destroy();
}

async function bystand(port: number): Promise<number> {
  const session = http2.connect(`http://127.0.0.1:${port}`);
  let answered = 0;
  for (let request = 0; request < BYSTANDER_REQUESTS; request += 1) {
    const stream = session.request({ ':path': `/${request}` });
    let body = '';
    stream.setEncoding('latin1').on('data', (text: string) => {
      body += text;
    });
    await once(stream, 'end');
    if (body === 'hello') answered += 1;
  }
  session.destroy();
  return answered;
}

test.each(Object.entries(ATTACKS))(
  '%s: the attacker is cut off, a bystander served',
  async (_, { frameOf, faults }) => {
    const server = await startEchoServer();
    try {
      const [answered] = await Promise.all([bystand(server.port), attack(server, frameOf)]);
      expect(answered).toBe(BYSTANDER_REQUESTS);
      expect(server.faults.map(({ reason }) => reason)).toEqual(faults);
    } finally {
      await server.close();
    }
  },
);
