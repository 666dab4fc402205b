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
  type Pairs,
  POST,
  ping,
  priority,
  reset,
  settings,
  settingsAck,
  sizeUpdate,
  uint32,
  windowUpdate,
} from '../../../src/http/http2/frame-script.ts';
import { DEFAULT_HTTP2_LIMITS } from '../../../src/http/http2/http2.ts';
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

function victim(limits = {}): RecordedServer {
  return RecordedServer.greeted(limits, STUCK_OWNER);
}

/** Sends what `frameOf` makes until the connection ends, and answers how many it took. The peer reads nothing. */
function flood(server: RecordedServer, frameOf: (index: number) => Buffer): number {
  server.sent(true);
  for (let index = 0; index < MAX_FRAMES; index += 1) {
    if (server.fault !== '') return index;
    server.receive(frameOf(index));
    expect(server.output.length).toBeLessThan(MOST_OUTPUT_BYTES);
  }
  return MAX_FRAMES;
}

/** The same with a peer that reads everything. */
function floodReading(server: RecordedServer, frameOf: (index: number) => Buffer): number {
  for (let index = 0; index < MAX_FRAMES; index += 1) {
    if (server.fault !== '') return index;
    server.receive(frameOf(index));
    if (server.fault === '') server.sentBytes();
  }
  return MAX_FRAMES;
}

const streamAt = (index: number): number => 2 * index + 1;

function endsCalmly(server: RecordedServer, reason: string): void {
  expect(server.fault).toBe(reason);
  expect(server.connection.fault?.code).toBe(0xb);
  expect(server.sent().at(-1)).toMatch(new RegExp(`^GOAWAY [0-9]+ ENHANCE_YOUR_CALM ${reason}$`));
  expect(server.connection.openStreams).toBe(0);
}

describe('Rapid Reset (CVE-2023-44487)', () => {
  test('HEADERS and RST_STREAM over and over end the connection once the bucket is empty', () => {
    const server = victim();
    const rounds = floodReading(server, (index) =>
      Buffer.concat([headers(streamAt(index), GET), reset(streamAt(index))]),
    );
    expect(rounds).toBeLessThanOrEqual(DEFAULT_HTTP2_LIMITS.glitchBurst + 1);
    endsCalmly(server, 'too-many-resets');
  });

  test('a reset does not free its place while upstream work goes on: never more requests at work than allowed', () => {
    const server = victim();
    floodReading(server, (index) => Buffer.concat([headers(streamAt(index), GET), reset(streamAt(index))]));
    expect(server.heads.size).toBe(DEFAULT_HTTP2_LIMITS.maxConcurrentStreams);
    expect(server.connection.activeStreams).toBe(DEFAULT_HTTP2_LIMITS.maxConcurrentStreams);
  });

  test('a client that cancels now and then is served for ever', () => {
    const server = RecordedServer.greeted({ maxRequestsPerConnection: 0 });
    for (let index = 0; index < 3000; index += 1) {
      server.nowMs += 25;
      server.receive(headers(streamAt(index), GET), reset(streamAt(index)));
      server.sentBytes();
    }
    expect(server.fault).toBe('');
    expect(server.connection.activeStreams).toBe(0);
  });
});

describe('MadeYouReset (CVE-2025-8671): the server is made to reset', () => {
  const TRIGGERS: Record<string, (id: number) => Buffer> = {
    'WINDOW_UPDATE 0': (id) => windowUpdate(id, 0),
    'a window beyond 2^31-1': (id) => windowUpdate(id, 2 ** 31 - 1),
    'PRIORITY of a bad length': (id) => frame(2, 0, id, Buffer.alloc(4)),
    'PRIORITY on itself': (id) => priority(id, id),
    'HEADERS after the end': (id) => headers(id, GET, true),
    'DATA after the end': (id) => data(id, 'x'),
  };

  test.each(Object.entries(TRIGGERS))('%s', (_, trigger) => {
    const server = victim({ maxWindowUpdatesPerDataFrame: 1000 });
    const rounds = floodReading(server, (index) => {
      const id = streamAt(index);
      return Buffer.concat([headers(id, GET, true), trigger(id)]);
    });
    expect(rounds).toBeLessThanOrEqual(DEFAULT_HTTP2_LIMITS.glitchBurst + 1);
    expect(server.connection.fault?.code).toBeDefined();
    expect(server.heads.size).toBeLessThanOrEqual(DEFAULT_HTTP2_LIMITS.maxConcurrentStreams);
  });

  test.each(Object.entries(TRIGGERS))('%s: the place stays taken until the owner lets go', (_, trigger) => {
    const server = victim({ maxConcurrentStreams: 1 }).receive(headers(1, GET, true), trigger(1));
    expect(server.stream(1).isClosed).toBe(true);
    server.receive(headers(3, GET, true));
    expect(server.sent().at(-1)).toBe('RST_STREAM 3 REFUSED_STREAM');
    server.stream(1).release();
    server.receive(headers(5, GET, true));
    expect(server.heads.has(5)).toBe(true);
  });
});

describe('CONTINUATION flood (CVE-2024-27919 and its family)', () => {
  test('the ninth CONTINUATION ends the connection', () => {
    const server = victim().receive(headersOf(1, block(GET), 0));
    const frames = flood(server, () => continuation(1, block([['x-a', 'b']])));
    expect(frames).toBe(DEFAULT_HTTP2_LIMITS.maxContinuationFrames + 1);
    endsCalmly(server, 'continuation-flood');
  });

  test('a block larger than a head may be is not collected', () => {
    const server = victim().receive(headersOf(1, Buffer.alloc(16_384), 0));
    expect(flood(server, () => continuation(1, Buffer.alloc(16_384)))).toBeLessThan(5);
    endsCalmly(server, 'header-block-too-large');
  });

  test('a block that never ends runs into its deadline, however slowly it is fed', () => {
    const server = victim();
    server.nowMs = 1000;
    server.receive(headersOf(1, block(GET), 0));
    expect(server.connection.nextDeadlineMs).toBe(11_000);
    server.nowMs = 9000;
    server.receive(continuation(1, block([['a', 'b']])));
    server.connection.advance(10_999);
    expect(server.fault).toBe('');
    server.connection.advance(11_000);
    endsCalmly(server, 'header-block-timeout');
  });

  test('so does a HEADERS frame that comes a byte at a time', () => {
    const server = victim();
    const bytes = headers(1, GET, true);
    for (let at = 0; at < bytes.length - 1; at += 1) {
      server.nowMs += 1000;
      server.receive(bytes.subarray(at, at + 1));
    }
    server.connection.advance(server.nowMs);
    expect(server.fault).toBe('header-block-timeout');
  });
});

describe('HTTP/2 Bomb (CVE-2026-47774) and HPACK bombs (CVE-2016-6581)', () => {
  const bigEntry = Buffer.concat([Buffer.from('4001617f', 'hex'), Buffer.from([0xa1, 0x1e]), Buffer.alloc(4000, 'v')]);

  test('one-byte references to a large entry are counted as what they unfold to', () => {
    const server = victim().receive(headersOf(1, Buffer.concat([block(GET), bigEntry]), 5));
    expect(server.heads.has(1)).toBe(true);
    const references = Buffer.concat([block(GET), ...Array.from({ length: 90 }, () => indexed(62))]);
    server.receive(headersOf(3, references, 5));
    expect(server.heads.has(3)).toBe(false);
    expect(server.sent()).toEqual(['RST_STREAM 3 ENHANCE_YOUR_CALM']);
  });

  test('one-byte references to small entries are counted field by field', () => {
    const references = Buffer.concat([block(GET), ...Array.from({ length: 15_000 }, () => indexed(2 + 14))]);
    const server = victim().receive(headersOf(1, references, 5));
    expect(server.heads.size).toBe(0);
    expect(server.sent()).toEqual(['RST_STREAM 1 ENHANCE_YOUR_CALM']);
  });

  test('the empty names and values count 32 bytes each', () => {
    const server = victim({ maxFields: 100_000 });
    const fields = Buffer.concat([block(GET), ...Array.from({ length: 2000 }, () => indexed(15))]);
    server.receive(headersOf(1, fields, 5));
    expect(server.sent()).toEqual(['RST_STREAM 1 ENHANCE_YOUR_CALM']);
  });

  test('cookie crumbs are counted before they are joined', () => {
    const crumbs: Pairs = Array.from({ length: 97 }, (_, index) => ['cookie', `a=${index}`]);
    const server = victim().receive(headers(1, [...GET, ...crumbs], true));
    expect(server.sent()).toEqual(['RST_STREAM 1 ENHANCE_YOUR_CALM']);
  });

  test('the table of the connection is as it should be after a refused head', () => {
    const server = victim().receive(
      headersOf(
        1,
        Buffer.concat([block(GET), ...Array.from({ length: 200 }, () => indexed(15)), incremental('x-a', 'b')]),
        5,
      ),
      headersOf(3, Buffer.concat([block(GET), indexed(62)]), 5),
    );
    expect(server.heads.get(3)?.fields.get('x-a')).toBe('b');
  });

  test('refused heads drain the bucket', () => {
    const server = victim();
    const bomb = Buffer.concat([block(GET), ...Array.from({ length: 200 }, () => indexed(15))]);
    expect(floodReading(server, (index) => headersOf(streamAt(index), bomb, 5))).toBeLessThanOrEqual(501);
    endsCalmly(server, 'too-many-resets');
  });

  test('a table beyond 4 KiB and a third size update are refused', () => {
    for (const updates of [[sizeUpdate(4097)], [sizeUpdate(0), sizeUpdate(100), sizeUpdate(0)]]) {
      const server = victim().receive(headersOf(1, Buffer.concat([...updates, block(GET)]), 5));
      expect(server.sent()).toEqual(['GOAWAY 1 COMPRESSION_ERROR bad-hpack']);
    }
  });

  test('a peer that offers us a huge table does not get one', () => {
    const server = victim().receive(settings([1, 2 ** 32 - 1]), headers(1, GET, true));
    server.stream(1).sendLocalHead(200, ['x-a', 'b'.repeat(900)], 0);
    expect(server.sent().at(-1)).toContain(':status=200');
  });
});

describe('duplicate Host (CVE-2026-73550)', () => {
  test('dropped fields count', () => {
    const fields: Pairs = [...GET, ...Array.from({ length: 97 }, (): [string, string] => ['host', 'a.test'])];
    const server = victim().receive(headers(1, fields, true));
    expect(server.heads.size).toBe(0);
    expect(server.sent()).toHaveLength(1);
  });
});

describe('floods of frames that want an answer (CVE-2019-9512, -9514, -9515)', () => {
  test('pings whose answers nobody reads', () => {
    const server = victim();
    const frames = flood(server, () => ping());
    expect(frames).toBe(DEFAULT_HTTP2_LIMITS.maxQueuedControlFrames + 1);
    endsCalmly(server, 'control-frame-flood');
  });

  test('pings in one read, before anyone could have read an answer', () => {
    const server = victim().receive(...Array.from({ length: 3000 }, () => ping()));
    endsCalmly(server, 'control-frame-flood');
  });

  test('settings whose acks nobody reads', () => {
    const server = victim();
    expect(flood(server, () => settings([4, 65_535]))).toBe(DEFAULT_HTTP2_LIMITS.maxQueuedControlFrames + 1);
    endsCalmly(server, 'control-frame-flood');
  });

  test('requests that are malformed, so that each is reset', () => {
    const server = victim();
    flood(server, (index) => headers(streamAt(index), [[':method', 'GET']], true));
    endsCalmly(server, 'too-many-resets');
  });

  test('requests beyond the limit, each refused', () => {
    const server = victim();
    const requests = floodReading(server, (index) => headers(streamAt(index), GET, true));
    expect(requests).toBeLessThanOrEqual(
      DEFAULT_HTTP2_LIMITS.maxConcurrentStreams + DEFAULT_HTTP2_LIMITS.glitchBurst + 1,
    );
    endsCalmly(server, 'too-many-resets');
  });

  test('acks and pings that answer nothing', () => {
    const server = victim();
    expect(floodReading(server, () => settingsAck())).toBeLessThanOrEqual(501);
    endsCalmly(server, 'too-many-resets');
  });

  test('a peer that reads its answers may ping as it likes', () => {
    const server = RecordedServer.greeted();
    for (let round = 0; round < 5000; round += 1) {
      server.receive(ping());
      expect(server.sent()).toEqual(['PING ack']);
    }
    expect(server.fault).toBe('');
  });

  test('more than 32 settings in a frame (CVE-2020-11080)', () => {
    const server = victim().receive(settings(...Array.from({ length: 33 }, () => [4, 1] as const)));
    endsCalmly(server, 'too-many-settings');
  });
});

describe('empty frames (CVE-2019-9518) and empty names (CVE-2019-9516)', () => {
  test('a second empty DATA frame in a row', () => {
    const server = victim().receive(headers(1, POST), data(1, ''), data(1, 'x'), data(1, ''));
    expect(server.fault).toBe('');
    server.receive(data(1, ''));
    endsCalmly(server, 'empty-frame-flood');
  });

  test('empty HEADERS and CONTINUATION', () => {
    const server = victim().receive(headersOf(1, Buffer.alloc(0), 0), continuation(1, Buffer.alloc(0)));
    endsCalmly(server, 'empty-frame-flood');
  });

  test('padding does not fill an empty frame', () => {
    const server = victim().receive(headers(1, POST), data(1, '', false, 200), data(1, '', false, 200));
    endsCalmly(server, 'empty-frame-flood');
  });

  test('empty DATA on streams that are over', () => {
    const server = victim().receive(headers(1, POST), reset(1));
    expect(floodReading(server, () => data(1, ''))).toBeLessThanOrEqual(3);
  });

  test('fields without a name', () => {
    const server = victim().receive(headers(1, [...GET, ['', '']], true));
    expect(server.sent()).toEqual(['RST_STREAM 1 PROTOCOL_ERROR']);
  });
});

describe('tiny DATA frames and data dribble (CVE-2019-9511)', () => {
  test('small frames that pile up at a stuck consumer end the connection', () => {
    const server = victim().receive(headers(1, POST));
    expect(flood(server, () => data(1, 'x'))).toBeLessThanOrEqual(102);
    endsCalmly(server, 'tiny-data-flood');
  });

  test('a consumer that keeps up may be sent messages as small as they come', () => {
    const server = RecordedServer.greeted({ maxRequestsPerConnection: 0 }).receive(headers(1, POST));
    for (let round = 0; round < 20_000; round += 1) {
      server.receive(data(1, 'x'));
      server.sentBytes();
    }
    expect(server.fault).toBe('');
  });

  test('what a stuck consumer holds is bounded by the windows', () => {
    const server = victim();
    for (let index = 0; index < 30; index += 1) server.receive(headers(streamAt(index), POST));
    flood(server, (index) => data(streamAt(index % 30), Buffer.alloc(4096)));
    expect(server.bodyBytes).toBeLessThanOrEqual(DEFAULT_HTTP2_LIMITS.connectionWindowBytes);
  });
});

describe('a reader that does not read (CVE-2019-9517, -9511): internal buffering and stalls', () => {
  function stalled(): RecordedServer {
    const server = RecordedServer.greeted().receive(settings([4, 0]), headers(1, GET, true));
    server.stream(1).sendLocalHead(200, [], -1);
    server.stream(1).sendBody(Buffer.alloc(65_536), 0, 65_536);
    server.sent();
    return server;
  }

  test('a window of zero holds a body no longer than its deadline', () => {
    const server = stalled();
    expect(server.stream(1).isBackedUp).toBe(true);
    server.connection.advance(5000);
    expect(server.connection.nextDeadlineMs).toBe(35_000);
    server.connection.advance(34_999);
    expect(server.stream(1).isClosed).toBe(false);
    server.connection.advance(35_000);
    expect(server.sent()).toEqual(['RST_STREAM 1 CANCEL']);
    expect(server.events.at(-1)).toBe('1 reset send-stalled');
    expect(server.connection.nextDeadlineMs).toBe(Number.POSITIVE_INFINITY);
  });

  test('a window opened a byte at a time does not put it off', () => {
    const server = stalled();
    for (let round = 0; round < 36; round += 1) {
      server.nowMs += 1000;
      server.receive(windowUpdate(1, 1));
      server.connection.advance(server.nowMs);
    }
    expect(server.stream(1).isClosed).toBe(true);
  });

  test('a window that opens by what a slow reader needs does', () => {
    const server = stalled();
    for (let round = 0; round < 10; round += 1) {
      server.nowMs += 20_000;
      server.receive(windowUpdate(1, 5000));
      server.connection.advance(server.nowMs);
      server.sentBytes();
    }
    expect(server.stream(1).isClosed).toBe(false);
  });

  test('a socket that takes nothing is a stall like any other', () => {
    const server = RecordedServer.greeted().receive(headers(1, GET, true));
    server.sent(true);
    server.stream(1).sendLocalHead(200, [], -1);
    server.stream(1).sendBodyText('x');
    server.connection.advance(0);
    server.connection.advance(30_000);
    expect(server.stream(1).isClosed).toBe(true);
  });
});

describe('PRIORITY and WINDOW_UPDATE floods (CVE-2019-9513)', () => {
  test('more than a hundred PRIORITY frames for each stream', () => {
    const server = victim();
    expect(floodReading(server, (index) => priority(streamAt(index), 0))).toBe(101);
    endsCalmly(server, 'priority-flood');
  });

  test('more WINDOW_UPDATEs than streams and data account for', () => {
    const server = victim().receive(headers(1, GET, true));
    expect(floodReading(server, () => windowUpdate(1, 1))).toBe(8);
    endsCalmly(server, 'window-update-flood');
  });
});

describe('window overflow on stream 0 (CVE-2026-21714)', () => {
  test('ends the connection and lets go of every stream', () => {
    const server = victim().receive(headers(1, POST), windowUpdate(0, 2 ** 31 - 1));
    expect(server.sent()).toEqual(['GOAWAY 1 FLOW_CONTROL_ERROR connection-window-overflow']);
    expect(server.events).toContain('1 reset connection-window-overflow');
    expect(server.connection.openStreams).toBe(0);
  });
});

describe('resets in bulk (CVE-2021-32778)', () => {
  test('a connection with a thousand streams ends in one pass', () => {
    const server = RecordedServer.greeted({ maxConcurrentStreams: 2000 });
    for (let index = 0; index < 1000; index += 1) server.receive(headers(streamAt(index), POST));
    server.connection.lost();
    expect(server.events.filter((event) => event.endsWith('reset connection-lost'))).toHaveLength(1000);
    expect(server.connection.activeStreams).toBe(0);
  });
});

describe('malformed HPACK (CVE-2025-59465)', () => {
  test('ends the connection in good order and throws nothing', () => {
    const server = victim().receive(headersOf(1, Buffer.from('ffffffffffffff', 'hex'), 5));
    expect(server.sent()).toEqual(['GOAWAY 1 COMPRESSION_ERROR bad-hpack']);
  });
});

describe('trailers and frames after the end (CVE-2026-73513)', () => {
  test('trailers without END_STREAM reset the stream', () => {
    const server = victim().receive(headers(1, POST), headers(1, [['x-a', 'b']]));
    expect(server.sent()).toEqual(['RST_STREAM 1 PROTOCOL_ERROR']);
    expect(server.events).not.toContain('1 end');
  });

  test('nothing that follows END_STREAM reaches the owner', () => {
    for (const late of [data(1, 'x'), headers(1, [['x-a', 'b']], true)]) {
      const server = victim().receive(headers(1, POST), data(1, '', true), late);
      expect(server.sent()).toEqual(['RST_STREAM 1 STREAM_CLOSED']);
      expect(server.events.slice(1)).toEqual(['1 end', expect.stringContaining('1 reset')]);
    }
  });
});

describe('CONNECT and missing pseudo-fields (CVE-2026-73547)', () => {
  test.each([
    [[[':method', 'CONNECT']] as Pairs],
    [
      [
        [':method', 'CONNECT'],
        [':authority', 'a:1'],
      ] as Pairs,
    ],
    [
      [
        [':method', 'CONNECT'],
        [':protocol', 'websocket'],
        [':authority', 'a'],
      ] as Pairs,
    ],
    [[] as Pairs],
  ])('%j is refused before anyone sees it', (pairs) => {
    const server = victim().receive(headers(1, pairs, true));
    expect(server.events).toEqual([]);
    expect(server.sent()).toEqual(['RST_STREAM 1 PROTOCOL_ERROR']);
  });
});

describe('H2.CL (CVE-2026-48743, CVE-2026-33555)', () => {
  const declared: Pairs = [...POST, ['content-length', '10']];
  test.each([
    ['END_STREAM with content-length', [headers(1, declared, true)]],
    ['a short body', [headers(1, declared), data(1, 'short', true)]],
    ['a long body', [headers(1, declared), data(1, 'longer than ten', true)]],
    ['a short body and trailers', [headers(1, declared), data(1, 'x'), headers(1, [], true)]],
  ])('%s', (_, frames) => {
    const server = victim().receive(...frames);
    expect(server.sent()).toEqual(['RST_STREAM 1 PROTOCOL_ERROR']);
    expect(server.events).not.toContain('1 end');
    expect(server.events.join()).not.toContain('longer than ten');
  });
});

describe('H2.TE and connection headers (RFC 9113 §8.2.2), injection (§8.2, CVE-2023-27491), pseudo-fields (CVE-2021-39240)', () => {
  const added: Pairs = [
    ['transfer-encoding', 'chunked'],
    ['connection', 'close'],
    ['te', 'gzip'],
    ['x', 'a\r\nhost: b'],
    ['x', 'a\0'],
    ['x', ' a'],
    ['X', 'a'],
    ['x: y\r\nz', 'a'],
    [':path', '/b'],
    ['host', 'b.test'],
  ];
  test.each(added)('%j: %j', (name, value) => {
    const server = victim().receive(headers(1, [...GET, [name, value]], true));
    expect(server.events).toEqual([]);
    expect(server.sent()).toEqual(['RST_STREAM 1 PROTOCOL_ERROR']);
  });
});

describe('push, unknown frames, reserved bits, 16 MB frames', () => {
  test('each gets what the RFC says', () => {
    expect(
      victim()
        .receive(frame(5, 4, 1, uint32(2)))
        .sent()[0],
    ).toContain('PROTOCOL_ERROR');
    expect(
      victim()
        .receive(frame(0xee, 0xff, 0x8000_0000))
        .sent(),
    ).toEqual([]);
    const huge = frame(0, 0, 1);
    huge.fill(0xff, 0, 3);
    expect(victim().receive(huge).sent()[0]).toContain('FRAME_SIZE_ERROR');
  });
});

describe('a peer that says nothing', () => {
  test('is given ten seconds to begin, and to acknowledge our settings', () => {
    const silent = new RecordedServer();
    silent.connection.advance(9999);
    expect(silent.fault).toBe('');
    silent.connection.advance(10_000);
    expect(silent.fault).toBe('preface-timeout');
    const rude = new RecordedServer().receive(CLIENT_HELLO.subarray(0, 24 + 9));
    rude.connection.advance(10_000);
    expect(rude.sent().at(-1)).toBe('GOAWAY 0 SETTINGS_TIMEOUT settings-not-acknowledged');
  });
});

describe('what all the floods leave behind', () => {
  test('ten thousand connections, each ended by a fault, hold nothing', () => {
    for (let round = 0; round < 10_000; round += 1) {
      const server = victim().receive(headers(1, POST), data(1, 'x'), windowUpdate(0, 2 ** 31 - 1));
      if (server.connection.openStreams !== 0 || server.connection.nextDeadlineMs !== Number.POSITIVE_INFINITY) {
        throw new Error('something is kept');
      }
    }
  });
});
