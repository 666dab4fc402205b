import { describe, expect, test } from 'vitest';
import { CLIENT_PREFACE, FLAG_ACK, GOAWAY, HEADERS, PING, RST_STREAM, SETTINGS, WINDOW_UPDATE } from './frame.ts';
import {
  block,
  continuation,
  data,
  frame,
  GET,
  goAway,
  headers,
  headersOf,
  POST,
  ping,
  priority,
  reset,
  settings,
  settingsAck,
  uint32,
  windowUpdate,
} from './frame-script.ts';
import { RecordedServer } from './recorded-server.ts';

describe('the opening', () => {
  test('the server speaks first: settings, and the rest of its connection window', () => {
    expect(new RecordedServer().sent()).toEqual(['SETTINGS', 'WINDOW_UPDATE 0 983041']);
  });

  test('settings are acknowledged', () => {
    const server = new RecordedServer();
    server.sent();
    server.receive(CLIENT_PREFACE, settings([4, 100]));
    expect(server.sent()).toEqual(['SETTINGS ack']);
  });

  test.each([
    ['HTTP/1.1', Buffer.from('GET / HTTP/1.1\r\nhost: a\r\n\r\n'), 'bad-preface'],
    ['TLS', Buffer.from('160301020001', 'hex'), 'bad-preface'],
    ['a preface cut wrong', Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\rX'), 'bad-preface'],
    ['no settings', Buffer.concat([CLIENT_PREFACE, headers(1, GET, true)]), 'first-frame-not-settings'],
    ['an ack of settings', Buffer.concat([CLIENT_PREFACE, settingsAck()]), 'first-frame-not-settings'],
    ['data', Buffer.concat([CLIENT_PREFACE, data(1, 'x')]), 'first-frame-not-settings'],
  ])('%s is refused', (_, bytes, reason) => {
    const server = new RecordedServer().receive(bytes);
    expect(server.fault).toBe(reason);
    expect(server.sent().at(-1)).toBe(`GOAWAY 0 PROTOCOL_ERROR ${reason}`);
  });
});

describe('frames that end the connection', () => {
  const open = headers(1, POST);
  test.each([
    ['DATA on stream 0', data(0, 'x'), 'PROTOCOL_ERROR'],
    ['HEADERS on stream 0', headers(0, GET), 'PROTOCOL_ERROR'],
    ['PRIORITY on stream 0', priority(0, 1), 'PROTOCOL_ERROR'],
    ['RST_STREAM on stream 0', reset(0), 'PROTOCOL_ERROR'],
    ['SETTINGS on a stream', frame(SETTINGS, 0, 1), 'PROTOCOL_ERROR'],
    ['PING on a stream', frame(PING, 0, 1, Buffer.alloc(8)), 'PROTOCOL_ERROR'],
    ['GOAWAY on a stream', frame(GOAWAY, 0, 1, Buffer.alloc(8)), 'PROTOCOL_ERROR'],
    ['PUSH_PROMISE', frame(5, 4, 1, uint32(2)), 'PROTOCOL_ERROR'],
    ['an even stream', headers(2, GET), 'PROTOCOL_ERROR'],
    ['a frame of 16 MB', frame(0, 0, 1).fill(0xff, 0, 3), 'FRAME_SIZE_ERROR'],
    [
      'an unknown frame too large',
      Buffer.concat([Buffer.from('0040017700000000', 'hex'), Buffer.of(1)]),
      'FRAME_SIZE_ERROR',
    ],
    ['RST_STREAM of 3 bytes', frame(RST_STREAM, 0, 1, Buffer.alloc(3)), 'FRAME_SIZE_ERROR'],
    ['WINDOW_UPDATE of 5 bytes', frame(WINDOW_UPDATE, 0, 0, Buffer.alloc(5)), 'FRAME_SIZE_ERROR'],
    ['PING of 7 bytes', frame(PING, 0, 0, Buffer.alloc(7)), 'FRAME_SIZE_ERROR'],
    ['GOAWAY of 7 bytes', frame(GOAWAY, 0, 0, Buffer.alloc(7)), 'FRAME_SIZE_ERROR'],
    ['SETTINGS of 5 bytes', frame(SETTINGS, 0, 0, Buffer.alloc(5)), 'FRAME_SIZE_ERROR'],
    ['an ack of settings with payload', frame(SETTINGS, FLAG_ACK, 0, Buffer.alloc(6)), 'FRAME_SIZE_ERROR'],
    ['HEADERS without its pad length', frame(HEADERS, 0x0c, 3), 'FRAME_SIZE_ERROR'],
    ['HEADERS shorter than its priority', frame(HEADERS, 0x24, 3, Buffer.alloc(4)), 'FRAME_SIZE_ERROR'],
    ['HEADERS with more padding than frame', frame(HEADERS, 0x0c, 3, Buffer.of(2, 0x82)), 'PROTOCOL_ERROR'],
    ['DATA with more padding than frame', Buffer.concat([open, frame(0, 8, 1, Buffer.of(2, 0))]), 'PROTOCOL_ERROR'],
    ['DATA without its pad length', Buffer.concat([open, frame(0, 8, 1)]), 'FRAME_SIZE_ERROR'],
    ['ENABLE_PUSH 2', settings([2, 2]), 'PROTOCOL_ERROR'],
    ['INITIAL_WINDOW_SIZE 2^31', settings([4, 2 ** 31]), 'FLOW_CONTROL_ERROR'],
    ['MAX_FRAME_SIZE below 2^14', settings([5, 16_383]), 'PROTOCOL_ERROR'],
    ['MAX_FRAME_SIZE 2^24', settings([5, 2 ** 24]), 'PROTOCOL_ERROR'],
    ['ENABLE_CONNECT_PROTOCOL taken back', Buffer.concat([settings([8, 1]), settings([8, 0])]), 'PROTOCOL_ERROR'],
    ['33 settings', settings(...Array.from({ length: 33 }, () => [0x99, 0] as const)), 'ENHANCE_YOUR_CALM'],
    ['a CONTINUATION after nothing', continuation(1, Buffer.alloc(1), true), 'PROTOCOL_ERROR'],
    ['anything inside a header block', Buffer.concat([headersOf(1, block(GET), 0), ping()]), 'PROTOCOL_ERROR'],
    [
      'an unknown frame inside a header block',
      Buffer.concat([headersOf(1, block(GET), 0), frame(0x77, 0, 1)]),
      'PROTOCOL_ERROR',
    ],
    ['data inside a header block', Buffer.concat([headersOf(1, block(GET), 0), data(1, 'x')]), 'PROTOCOL_ERROR'],
    [
      'a CONTINUATION of another stream',
      Buffer.concat([headersOf(1, block(GET), 0), continuation(3, Buffer.alloc(0), true)]),
      'PROTOCOL_ERROR',
    ],
    ['bad HPACK', headersOf(1, Buffer.of(0x80), 4), 'COMPRESSION_ERROR'],
    [
      'bad HPACK on a stream nobody wants',
      Buffer.concat([open, reset(1), headersOf(1, Buffer.of(0x80), 4)]),
      'COMPRESSION_ERROR',
    ],
    ['a lower stream never used', Buffer.concat([headers(5, GET), headers(3, GET)]), 'PROTOCOL_ERROR'],
    ['increment 0 on the connection', windowUpdate(0, 0), 'PROTOCOL_ERROR'],
    ['a connection window beyond 2^31-1', windowUpdate(0, 2 ** 31 - 1), 'FLOW_CONTROL_ERROR'],
    [
      'stream windows beyond 2^31-1 by settings',
      Buffer.concat([open, windowUpdate(1, 2 ** 31 - 65_536), settings([4, 65_536])]),
      'FLOW_CONTROL_ERROR',
    ],
  ])('%s', (_, bytes, code) => {
    const server = RecordedServer.greeted().receive(bytes);
    expect(server.connection.fault?.scope).toBe('connection');
    expect(server.sent().at(-1)).toMatch(new RegExp(`^GOAWAY [0-9]+ ${code} `));
    // Whatever follows is not looked at.
    server.events.length = 0;
    server.receive(headers(99, GET, true));
    expect(server.events).toEqual([]);
  });
});

describe('frames that change nothing', () => {
  test.each([
    ['unknown types', frame(0x77, 0xff, 7, Buffer.alloc(100))],
    ['unknown settings', settings([0x99, 1])],
    ['unknown flags on PING', ping('abcdefgh', 0x1e)],
    ['the reserved bit of a stream id', frame(PING, 0, 0x8000_0000, Buffer.alloc(8))],
    ['PRIORITY of an idle stream', priority(7, 3)],
    ['a GOAWAY of the client', goAway(0)],
    ['an ack of a ping nobody sent', ping('????????', FLAG_ACK)],
  ])('%s', (_, bytes) => {
    const server = RecordedServer.greeted().receive(bytes);
    expect(server.fault).toBe('');
    server.receive(headers(1, GET, true));
    expect(server.events).toEqual(['1 head GET /', '1 end']);
  });

  test('padding of HEADERS and DATA is dropped, and given back to the windows', () => {
    const fields = Buffer.concat([Buffer.of(7), block(POST), Buffer.alloc(7)]);
    const server = RecordedServer.greeted().receive(headersOf(1, fields, 0x0c));
    for (let sent = 0; sent < 300; sent += 1) server.receive(data(1, 'x'.repeat(256), false, 255));
    expect(server.bodyBytes).toBe(300 * 256);
    expect(server.fault).toBe('');
    const { available, owed } = server.connection.receiveCredit;
    expect(available + owed).toBe(1024 * 1024);
  });

  test('a priority inside HEADERS is passed over', () => {
    const server = RecordedServer.greeted();
    server.receive(headersOf(3, Buffer.concat([uint32(0x8000_0001), Buffer.of(255), block(GET)]), 0x25));
    expect(server.events).toEqual(['3 head GET /', '3 end']);
  });
});

describe('ping', () => {
  test('is answered with its own payload', () => {
    const server = RecordedServer.greeted().receive(ping('abcdefgh'));
    const [answer] = server.sentFrames();
    expect(answer?.type).toBe('PING');
    expect(answer?.flags).toBe(FLAG_ACK);
    expect(answer?.payload.toString()).toBe('abcdefgh');
  });

  test('of ours is asked once at a time, and its answer told', () => {
    const server = RecordedServer.greeted();
    server.connection.ping();
    server.connection.ping();
    const [sent, ...more] = server.sentFrames();
    expect(more).toEqual([]);
    server.receive(frame(PING, FLAG_ACK, 0, sent?.payload));
    expect(server.events).toEqual(['ping acknowledged']);
  });
});

describe('draining a server (RFC 9113 §6.8)', () => {
  function draining(): { server: RecordedServer; drainPing: Buffer } {
    const server = RecordedServer.greeted().receive(headers(1, GET, true));
    server.connection.drain();
    const frames = server.sentFrames();
    expect(frames.map(({ type }) => type)).toEqual(['GOAWAY', 'PING']);
    expect(frames[0]?.payload).toEqual(uint32(0x7fff_ffff, 0));
    return { server, drainPing: frames[1]?.payload ?? Buffer.alloc(0) };
  }

  test('first asks for no more and still takes what was on its way; one round trip later it names the last stream', () => {
    const { server, drainPing } = draining();
    server.receive(headers(3, GET, true), frame(PING, FLAG_ACK, 0, drainPing));
    expect(server.sent()).toEqual(['GOAWAY 3 NO_ERROR']);
    expect(server.events).toContain('3 head GET /');
  });

  test('later requests are ignored, their HPACK is not', () => {
    const { server } = draining();
    server.connection.finishDrain();
    server.receive(headers(5, POST), data(5, 'body', true), reset(5));
    expect(server.events).toEqual(['1 head GET /', '1 end']);
    expect(server.sent()).toEqual(['GOAWAY 1 NO_ERROR']);
    expect(server.fault).toBe('');
  });

  test('is over when the last stream has ended', () => {
    const { server } = draining();
    server.connection.finishDrain();
    expect(server.events).not.toContain('drained');
    server.stream(1).sendLocalHead(200, [], 0);
    server.stream(1).end();
    expect(server.events.at(-1)).toBe('drained');
  });

  test('does not wait for ever for a client that answers no ping', () => {
    const { server } = draining();
    expect(server.connection.nextDeadlineMs).toBe(10_000);
    server.connection.advance(9999);
    expect(server.sent()).toEqual([]);
    server.connection.advance(10_000);
    expect(server.sent()).toEqual(['GOAWAY 1 NO_ERROR']);
    expect(server.connection.nextDeadlineMs).toBe(Number.POSITIVE_INFINITY);
  });

  test('begins by itself after the number of requests that a connection may carry', () => {
    const server = RecordedServer.greeted({ maxRequestsPerConnection: 2 });
    server.receive(headers(1, GET, true));
    expect(server.sent()).toEqual([]);
    server.receive(headers(3, GET, true));
    expect(server.sent()).toEqual(['GOAWAY 2147483647 NO_ERROR', 'PING']);
  });
});

test('a lost connection is told to every stream once, and nothing is written', () => {
  const server = RecordedServer.greeted().receive(headers(1, POST), headers(3, GET, true));
  server.connection.lost();
  server.connection.lost();
  expect(server.events.filter((event) => event.includes('reset'))).toEqual([
    '1 reset connection-lost',
    '3 reset connection-lost',
  ]);
  expect(server.sent()).toEqual([]);
  expect(server.connection.activeStreams).toBe(0);
});
