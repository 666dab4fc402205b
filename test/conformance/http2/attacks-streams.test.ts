import { describe, expect, test } from 'vitest';
import {
  block,
  continuation,
  data,
  frame,
  GET,
  headers,
  headersOf,
  incremental,
  indexed,
  type Pairs,
  priority,
  reset,
  settings,
  sizeUpdate,
  windowUpdate,
} from '../../../src/http/http2/frame-script.ts';
import { DEFAULT_HTTP2_LIMITS } from '../../../src/http/http2/http2.ts';
import { RecordedServer } from '../../../src/http/http2/recorded-server.ts';
import { endsCalmly, flood, floodReading, streamAt, victim } from './victim.ts';

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
