import { describe, expect, test } from 'vitest';
import { data, frame, GET, headers, type Pairs, POST, uint32 } from '../../../src/http/http2/frame-script.ts';
import { victim } from './victim.ts';

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
