import { describe, expect, test } from 'vitest';
import {
  CLIENT_HELLO,
  continuation,
  data,
  GET,
  headers,
  headersOf,
  POST,
  ping,
  priority,
  reset,
  settings,
  settingsAck,
  windowUpdate,
} from '../../../src/http/http2/frame-script.ts';
import { DEFAULT_HTTP2_LIMITS } from '../../../src/http/http2/http2.ts';
import { RecordedServer } from '../../../src/http/http2/recorded-server.ts';
import { endsCalmly, flood, floodReading, streamAt, victim } from './victim.ts';

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

  test('requests after the last GOAWAY, and heads on streams we have reset', () => {
    const drained = victim();
    drained.connection.finishDrain();
    expect(floodReading(drained, (index) => headers(streamAt(index), GET, true))).toBeLessThanOrEqual(501);
    endsCalmly(drained, 'too-many-resets');
    const server = victim().receive(headers(1, POST));
    server.stream(1).reset(8);
    expect(floodReading(server, () => headers(1, POST))).toBeLessThanOrEqual(501);
    endsCalmly(server, 'too-many-resets');
  });

  test('requests whose heads alone answer them, none of which is read', () => {
    const server = victim();
    const large = 'h'.repeat(20_000);
    let answered = 0;
    for (let index = 0; server.fault === '' && index < 5000; index += 1, answered += 1) {
      const id = streamAt(index);
      const stream = server.receive(headers(id, GET, true)).stream(id);
      stream.sendLocalHead(304, ['etag', large], 0);
      stream.end();
      stream.release();
      server.sent(true);
    }
    expect(server.fault).toBe('outbound-flood');
    expect(answered * large.length).toBeLessThan(DEFAULT_HTTP2_LIMITS.maxQueuedBytes + 2 * large.length);
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
    const limits = { maxWindowUpdatesPerDataFrame: 1000 };
    const server = RecordedServer.greeted(limits).receive(settings([4, 0]), headers(1, GET, true));
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
    expect(server.fault).toBe('');
    expect(server.events.at(-1)).toBe('1 reset send-stalled');
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
