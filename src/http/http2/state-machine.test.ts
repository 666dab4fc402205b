import { describe, expect, test } from 'vitest';
import {
  block,
  continuation,
  data,
  frame,
  GET,
  headers,
  headersOf,
  POST,
  priority,
  reset,
  settings,
  windowUpdate,
} from './frame-script.ts';
import { RecordedServer } from './recorded-server.ts';

/** Brings stream 3 into a state; stream 1 lies open beside it and must stay unharmed by stream errors. */
const STATES: Record<string, (server: RecordedServer) => void> = {
  idle: () => {},
  open: (server) => server.receive(headers(3, POST)),
  halfClosedRemote: (server) => server.receive(headers(3, GET, true)),
  halfClosedLocal: (server) => {
    server.receive(headers(3, POST));
    answer(server);
  },
  ended: (server) => {
    server.receive(headers(3, GET, true));
    answer(server);
  },
  resetByPeer: (server) => server.receive(headers(3, POST), reset(3)),
  resetByUs: (server) => {
    server.receive(headers(3, POST));
    server.stream(3).reset(8);
  },
};

function answer(server: RecordedServer): void {
  server.stream(3).sendLocalHead(200, [], 0);
  server.stream(3).end();
}

const FRAMES: Record<string, Buffer> = {
  DATA: data(3, 'x'),
  'DATA end': data(3, 'x', true),
  HEADERS: headers(3, POST),
  'HEADERS end': headers(3, [['x-a', 'b']], true),
  PRIORITY: priority(3, 1),
  'PRIORITY self': priority(3, 3),
  'PRIORITY short': frame(2, 0, 3, Buffer.alloc(4)),
  RST_STREAM: reset(3),
  PUSH_PROMISE: frame(5, 4, 3, Buffer.alloc(5)),
  WINDOW_UPDATE: windowUpdate(3, 10),
  'WINDOW_UPDATE 0': windowUpdate(3, 0),
  'WINDOW_UPDATE max': windowUpdate(3, 2 ** 31 - 1),
  CONTINUATION: continuation(3, block(POST), true),
  UNKNOWN: frame(0x77, 0, 3),
};

/** `-` nothing; `ends` events only; a code in brackets is a stream error, without brackets a connection error. */
const TABLE: Record<string, readonly string[]> = {
  //                  idle              open               halfClosedRemote   halfClosedLocal    ended              resetByPeer        resetByUs
  DATA: ['PROTOCOL_ERROR', '-', '[STREAM_CLOSED]', '-', '[STREAM_CLOSED]', '[STREAM_CLOSED]', '-'],
  'DATA end': ['PROTOCOL_ERROR', '-', '[STREAM_CLOSED]', '-', '[STREAM_CLOSED]', '[STREAM_CLOSED]', '-'],
  HEADERS: ['-', '[PROTOCOL_ERROR]', '[STREAM_CLOSED]', '[PROTOCOL_ERROR]', 'STREAM_CLOSED', 'STREAM_CLOSED', '-'],
  'HEADERS end': ['[PROTOCOL_ERROR]', '-', '[STREAM_CLOSED]', '-', 'STREAM_CLOSED', 'STREAM_CLOSED', '-'],
  PRIORITY: ['-', '-', '-', '-', '-', '-', '-'],
  'PRIORITY self': [
    'PROTOCOL_ERROR',
    '[PROTOCOL_ERROR]',
    '[PROTOCOL_ERROR]',
    '[PROTOCOL_ERROR]',
    '[PROTOCOL_ERROR]',
    '[PROTOCOL_ERROR]',
    '[PROTOCOL_ERROR]',
  ],
  'PRIORITY short': [
    'FRAME_SIZE_ERROR',
    '[FRAME_SIZE_ERROR]',
    '[FRAME_SIZE_ERROR]',
    '[FRAME_SIZE_ERROR]',
    '[FRAME_SIZE_ERROR]',
    '[FRAME_SIZE_ERROR]',
    '[FRAME_SIZE_ERROR]',
  ],
  RST_STREAM: ['PROTOCOL_ERROR', '-', '-', '-', '-', '-', '-'],
  PUSH_PROMISE: [
    'PROTOCOL_ERROR',
    'PROTOCOL_ERROR',
    'PROTOCOL_ERROR',
    'PROTOCOL_ERROR',
    'PROTOCOL_ERROR',
    'PROTOCOL_ERROR',
    'PROTOCOL_ERROR',
  ],
  WINDOW_UPDATE: ['PROTOCOL_ERROR', '-', '-', '-', '-', '-', '-'],
  'WINDOW_UPDATE 0': ['PROTOCOL_ERROR', '[PROTOCOL_ERROR]', '[PROTOCOL_ERROR]', '[PROTOCOL_ERROR]', '-', '-', '-'],
  'WINDOW_UPDATE max': [
    'PROTOCOL_ERROR',
    '[FLOW_CONTROL_ERROR]',
    '[FLOW_CONTROL_ERROR]',
    '[FLOW_CONTROL_ERROR]',
    '-',
    '-',
    '-',
  ],
  CONTINUATION: [
    'PROTOCOL_ERROR',
    'PROTOCOL_ERROR',
    'PROTOCOL_ERROR',
    'PROTOCOL_ERROR',
    'PROTOCOL_ERROR',
    'PROTOCOL_ERROR',
    'PROTOCOL_ERROR',
  ],
  UNKNOWN: ['-', '-', '-', '-', '-', '-', '-'],
};

function outcomeOf(state: string, bytes: Buffer): string {
  const server = RecordedServer.greeted().receive(headers(1, POST));
  STATES[state]?.(server);
  server.sent();
  server.receive(bytes);
  const [frame] = server.sent();
  if (server.fault === '') {
    server.events.length = 0;
    server.receive(data(1, 'unharmed', true));
    expect(server.events).toEqual(['1 body unharmed', '1 end']);
  }
  if (frame === undefined) return '-';
  const code = frame.split(' ')[2];
  return frame.startsWith('GOAWAY') ? `${code}` : `[${code}]`;
}

describe('what each frame does in each state', () => {
  const cells = Object.entries(TABLE).flatMap(([name, row]) =>
    Object.keys(STATES).map((state, column) => [name, state, row[column] ?? ''] as const),
  );
  test.each(cells)('%s on a stream that is %s: %s', (name, state, expected) => {
    expect(outcomeOf(state, FRAMES[name] ?? Buffer.alloc(0))).toBe(expected);
  });
});

describe('the states themselves', () => {
  test('follow the diagram', () => {
    const server = RecordedServer.greeted().receive(headers(1, POST), headers(3, POST), headers(5, POST));
    const [first, second, third] = [1, 3, 5].map((id) => server.stream(id));
    const states = (): (string | undefined)[] => [first, second, third].map((stream) => stream?.state);
    expect(states()).toEqual(['open', 'open', 'open']);
    server.receive(data(1, 'x', true));
    second?.sendLocalHead(200, [], 0);
    second?.end();
    third?.reset(8);
    expect(states()).toEqual(['halfClosedRemote', 'halfClosedLocal', 'closed']);
    first?.sendLocalHead(204, [], 0);
    first?.end();
    server.receive(data(3, '', true));
    expect(states()).toEqual(['closed', 'closed', 'closed']);
    expect(server.connection.openStreams).toBe(0);
  });

  test('nothing is sent after the end, and nothing after a reset', () => {
    const server = RecordedServer.greeted().receive(headers(1, POST));
    const stream = server.stream(1);
    stream.sendLocalHead(200, [], 0);
    stream.end();
    stream.end();
    stream.sendBodyText('late');
    stream.sendTrailers(['x-late', '1']);
    expect(server.sent()).toEqual(['HEADERS 1 :status=200 content-length=0 end']);
    stream.reset(8);
    stream.reset(8);
    expect(server.sent()).toEqual(['RST_STREAM 1 CANCEL']);
  });

  test('the end goes onto the last frame where that has not left, else onto an empty one', () => {
    const server = RecordedServer.greeted().receive(headers(1, GET, true), headers(3, GET, true));
    for (const id of [1, 3]) {
      server.stream(id).sendLocalHead(200, [], -1);
      server.stream(id).sendBodyText('ab');
      server.stream(id).sendBodyText('cd');
    }
    server.stream(1).end();
    expect(server.sent()).toEqual(['HEADERS 1 :status=200', 'DATA 1 4 end', 'HEADERS 3 :status=200', 'DATA 3 4']);
    server.stream(3).end();
    expect(server.sent()).toEqual(['DATA 3 0 end']);
  });

  test('a stream is known by how it ended for a thousand streams, and forgotten safely after', () => {
    const server = RecordedServer.greeted({ glitchBurst: 5000 });
    for (let id = 1; id < 4500; id += 2) server.receive(headers(id, POST), reset(id));
    server.sent();
    server.receive(data(1, 'x'), settings());
    expect(server.sent()).toEqual(['RST_STREAM 1 STREAM_CLOSED', 'SETTINGS ack']);
    server.receive(headersOf(4499, block(POST), 4));
    expect(server.fault).toBe('headers-on-closed-stream');
  });
});
