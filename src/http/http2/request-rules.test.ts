import { describe, expect, test } from 'vitest';
import {
  block,
  data,
  GET,
  headers,
  headersOf,
  incremental,
  indexed,
  literal,
  type Pairs,
  POST,
  sizeUpdate,
} from './frame-script.ts';
import type { Http2Limits } from './limits.ts';
import { RecordedServer } from './recorded-server.ts';

/** GET with one pseudo-field changed, or taken away. */
function having(name: string, value: string | undefined, from: Pairs = GET): Pairs {
  if (value === undefined) return from.filter(([known]) => known !== name);
  return from.map(([known, old]) => [known, known === name ? value : old]);
}

const adding = (...pairs: Pairs): Pairs => [...GET, ...pairs];

function refusal(pairs: Pairs, limits: Partial<Http2Limits> = {}, end = true): string {
  const server = RecordedServer.greeted(limits).receive(headers(1, pairs, end));
  expect(server.fault).toBe('');
  expect(server.events).toEqual([]);
  return server.sent().join();
}

function accepted(pairs: Pairs, limits: Partial<Http2Limits> = {}, end = true) {
  const server = RecordedServer.greeted(limits).receive(headers(1, pairs, end));
  expect(server.sent()).toEqual([]);
  const head = server.heads.get(1);
  if (head === undefined) throw new Error('the request was not accepted');
  return head;
}

const MALFORMED: Record<string, Pairs> = {
  'no :method': having(':method', undefined),
  'no :scheme': having(':scheme', undefined),
  'no :path': having(':path', undefined),
  'no :authority and no host': having(':authority', undefined),
  'an empty :method': having(':method', ''),
  'a :method with a blank': having(':method', 'GET /x'),
  'a :method with ?': having(':method', 'GET?'),
  'a lower-case :method': having(':method', 'get'),
  'a :method of 33 characters': having(':method', 'M'.repeat(33)),
  'a :method with a line end': having(':method', 'GET\r\nx: y'),
  'a :scheme with a URL': having(':scheme', 'http://a/'),
  'an unknown :scheme': having(':scheme', 'gopher'),
  'an empty :path': having(':path', ''),
  'a :path without a slash': having(':path', 'admin'),
  'a :path in absolute form': having(':path', 'http://a.test/'),
  'a :path with a blank': having(':path', '/ HTTP/1.1'),
  'a :path with a line end': having(':path', '/\r\nx: y'),
  'a :path with NUL': having(':path', '/\0'),
  'a :path with #': having(':path', '/#x'),
  'a :path with a raw byte': having(':path', '/\xe4'),
  '* for GET': having(':path', '*'),
  'an empty :authority': having(':authority', ''),
  'userinfo in :authority': having(':authority', 'me@a.test'),
  'a path in :authority': having(':authority', 'a.test/x'),
  'a list in :authority': having(':authority', 'a.test,b.test'),
  'a bad port in :authority': having(':authority', 'a.test:99999'),
  'two :method': [[':method', 'GET'], ...GET],
  'two :path': [...GET, [':path', '/b']],
  'two :authority': [...GET, [':authority', 'b.test']],
  'a pseudo-field after a regular one': [['x-a', 'b'], ...GET],
  ':status in a request': adding([':status', '200']),
  'an unknown pseudo-field': adding([':x', 'y']),
  'a regular field named :x late': adding(['a', 'b'], [':x', 'y']),
  'host that differs': adding(['host', 'b.test']),
  'two hosts': adding(['host', 'a.test'], ['host', 'a.test']),
  'an empty host': adding(['host', '']),
  'an upper-case name': adding(['X-A', 'b']),
  'an empty name': adding(['', 'b']),
  'a colon in a name': adding(['a:b', 'c']),
  'a blank in a name': adding(['a b', 'c']),
  'a line end in a name': adding(['a\r\nb', 'c']),
  'NUL in a name': adding(['a\0', 'c']),
  'a raw byte in a name': adding(['a\xe4', 'c']),
  'CR in a value': adding(['a', 'b\rc']),
  'LF in a value': adding(['a', 'b\nc']),
  'NUL in a value': adding(['a', 'b\0c']),
  'DEL in a value': adding(['a', 'b\x7fc']),
  'a value that begins with a blank': adding(['a', ' b']),
  'a value that ends with a tab': adding(['a', 'b\t']),
  connection: adding(['connection', 'close']),
  'keep-alive': adding(['keep-alive', 'timeout=5']),
  'proxy-connection': adding(['proxy-connection', 'keep-alive']),
  'transfer-encoding': adding(['transfer-encoding', 'chunked']),
  upgrade: adding(['upgrade', 'h2c']),
  'te other than trailers': adding(['te', 'gzip']),
  'te with more than trailers': adding(['te', 'trailers, gzip']),
  'an alias of content-length': adding(['content_length', '5']),
  'an alias of transfer-encoding': adding(['transfer_encoding', 'chunked']),
  'content-length +5': adding(['content-length', '+5']),
  'content-length 0x5': adding(['content-length', '0x5']),
  'content-length 05': adding(['content-length', '05']),
  'content-length of 16 digits': adding(['content-length', '9007199254740993']),
  'two content-lengths, equal': adding(['content-length', '0'], ['content-length', '0']),
  'content-length with END_STREAM': adding(['content-length', '5']),
  'an unknown expectation': adding(['expect', 'y 100-continue']),
  CONNECT: [
    [':method', 'CONNECT'],
    [':authority', 'a.test:443'],
  ],
};

describe('a malformed request is reset and never seen (RFC 9113 §8.2, §8.3)', () => {
  test.each(Object.entries(MALFORMED))('%s', (_, pairs) => {
    expect(refusal(pairs)).toBe('RST_STREAM 1 PROTOCOL_ERROR');
  });

  test('every byte 0 to 255 in a value, path and name is judged as HTTP/1.1 judges it', () => {
    for (let byte = 0; byte < 256; byte += 1) {
      const character = String.fromCharCode(byte);
      const isValue = (byte >= 0x20 && byte !== 0x7f) || byte === 9;
      const isPath = byte > 0x20 && byte < 0x7f && character !== '#';
      const isName = /[!#$%&'*+\-.^_`|~0-9a-z]/.test(character);
      for (const [pairs, isSound] of [
        [adding(['x-a', `b${character}c`]), isValue],
        [having(':path', `/${character}x`), isPath],
        [adding([`x${character}a`, 'b']), isName],
      ] as const) {
        const server = RecordedServer.greeted().receive(headers(1, pairs, true));
        expect(server.heads.has(1), `byte ${byte} in ${JSON.stringify(pairs)}`).toBe(isSound);
      }
    }
  });
});

describe('a sound request', () => {
  test('is told as the neutral head, and its fields in order', () => {
    const head = accepted([...having(':path', '/a?b=c'), ['x-b', '1'], ['x-a', ''], ['x-b', 'ä'], ['te', 'trailers']]);
    expect(head).toMatchObject({ version: 20, method: 'GET', scheme: 'http', authority: 'a.test', path: '/a?b=c' });
    expect(head).toMatchObject({ bodyLength: 0, upgrade: '', expectContinue: false });
    const { fields } = head;
    const names = Array.from(
      { length: fields.count },
      (_, index) => `${fields.nameAt(index)}=${fields.valueAt(index)}`,
    );
    expect(names).toEqual(['x-b=1', 'x-a=', 'x-b=ä', 'te=trailers']);
    expect([fields.get('x-b'), fields.indexOf('x-b', 1), fields.get('none')]).toEqual(['1', 2, undefined]);
    expect([0, 3].map((index) => fields.isHopByHop(index))).toEqual([false, true]);
  });

  test('may name its host by Host alone, or by both in the same words', () => {
    expect(accepted([...having(':authority', undefined), ['host', 'b.test:80']]).authority).toBe('b.test:80');
    const both = accepted(adding(['host', 'A.test']));
    expect(both.authority).toBe('a.test');
    expect(both.fields.get('host')).toBeUndefined();
  });

  test('has the scheme of its connection, whatever the client claims', () => {
    expect(accepted(having(':scheme', 'https')).scheme).toBe('http');
  });

  test.each([
    ['none declared', POST, -1],
    ['declared', [...POST, ['content-length', '5']] as Pairs, 5],
    ['declared empty', [...POST, ['content-length', '0']] as Pairs, 0],
  ])('tells its body length: %s', (_, pairs, length) => {
    expect(accepted(pairs, {}, false).bodyLength).toBe(length);
  });

  test('has its cookie crumbs joined', () => {
    const head = accepted(adding(['cookie', 'a=1'], ['x-a', 'b'], ['cookie', 'b=2'], ['cookie', 'c=3']));
    expect(head.fields.get('cookie')).toBe('a=1; b=2; c=3');
    expect(head.fields.count).toBe(2);
  });

  test('may expect 100-continue, and OPTIONS may ask for *', () => {
    expect(accepted([...POST, ['expect', '100-Continue']], {}, false).expectContinue).toBe(true);
    expect(accepted(having(':path', '*', having(':method', 'OPTIONS'))).path).toBe('*');
  });

  test('may use underscores, unless it is told not to', () => {
    const pairs = adding(['x_a', 'b'], ['x-b', 'c']);
    expect(accepted(pairs).fields.get('x_a')).toBe('b');
    expect(accepted(pairs, { headersWithUnderscores: 'drop' }).fields.count).toBe(1);
    expect(refusal(pairs, { headersWithUnderscores: 'reject' })).toBe('RST_STREAM 1 PROTOCOL_ERROR');
  });
});

describe('CONNECT', () => {
  const CONNECT: Pairs = [
    [':method', 'CONNECT'],
    [':authority', 'a.test:443'],
  ];

  test('is taken where it is allowed and in its form only', () => {
    const allowed = { allowConnect: true };
    expect(accepted(CONNECT, allowed, false)).toMatchObject({ method: 'CONNECT', path: '', authority: 'a.test:443' });
    expect(refusal([...CONNECT, [':path', '/']], allowed)).toContain('PROTOCOL_ERROR');
    expect(refusal([...CONNECT, [':scheme', 'http']], allowed)).toContain('PROTOCOL_ERROR');
    expect(refusal(having(':authority', 'a.test', CONNECT), allowed)).toContain('PROTOCOL_ERROR');
    expect(refusal([...CONNECT, ['content-length', '3']], allowed, false)).toContain('PROTOCOL_ERROR');
  });

  const WEBSOCKET: Pairs = [
    [':method', 'CONNECT'],
    [':protocol', 'WebSocket'],
    ...GET.slice(1),
    ['sec-websocket-version', '13'],
  ];

  test('with :protocol is told as a GET that asks for an upgrade, and a 101 grants it (RFC 8441)', () => {
    const server = RecordedServer.greeted().receive(headers(1, WEBSOCKET));
    expect(server.heads.get(1)).toMatchObject({ method: 'GET', upgrade: 'websocket', path: '/', bodyLength: -1 });
    server.stream(1).sendLocalHead(101, [], -1);
    server.receive(data(1, 'frame'));
    expect(server.events.at(-1)).toBe('1 body frame');
    expect(server.sent()).toEqual(['HEADERS 1 :status=200']);
  });

  test.each([
    ['without :path', having(':path', undefined, WEBSOCKET), {}],
    ['with another method', having(':method', 'GET', WEBSOCKET), {}],
    ['with a protocol that is no token', having(':protocol', 'a b', WEBSOCKET), {}],
    ['where it was not offered', WEBSOCKET, { allowExtendedConnect: false }],
  ])('with :protocol %s is refused', (_, pairs, limits) => {
    expect(refusal(pairs, limits)).toBe('RST_STREAM 1 PROTOCOL_ERROR');
  });
});

describe('body and trailers', () => {
  const post = (...pairs: Pairs): RecordedServer => RecordedServer.greeted().receive(headers(1, [...POST, ...pairs]));

  test('a body as long as declared', () => {
    const server = post(['content-length', '4']).receive(data(1, 'ab'), data(1, 'cd', true));
    expect(server.events.slice(1)).toEqual(['1 body ab', '1 body cd', '1 end']);
  });

  test.each([
    ['too long', [data(1, 'abcde')]],
    ['too long in the second frame', [data(1, 'abc'), data(1, 'de')]],
    ['too short', [data(1, 'abc', true)]],
    ['missing', [data(1, '', true)]],
    ['cut by trailers', [data(1, 'a'), headers(1, [['x-a', 'b']], true)]],
  ])('a body %s resets the stream and never ends it', (_, frames) => {
    const server = post(['content-length', '4']).receive(...frames);
    expect(server.sent()).toEqual(['RST_STREAM 1 PROTOCOL_ERROR']);
    expect(server.events.at(-1)).toMatch(/^1 reset body-(?:longer|shorter)-than-declared$/);
    expect(server.events).not.toContain('1 end');
  });

  test('trailers are told before the end, without those that frame, route or authorise', () => {
    const trailers: Pairs = [
      ['grpc-status', '0'],
      ['content-length', '9'],
      ['authorization', 'x'],
      ['host', 'b'],
    ];
    const server = post().receive(data(1, 'x'), headers(1, trailers, true));
    expect(server.events.slice(1)).toEqual(['1 body x', '1 trailers grpc-status=0', '1 end']);
  });

  test.each([
    ['a pseudo-field', [[':path', '/']] as Pairs, true],
    ['a connection field', [['connection', 'close']] as Pairs, true],
    ['an upper-case name', [['A', 'b']] as Pairs, true],
    ['no END_STREAM', [['x-a', 'b']] as Pairs, false],
  ])('trailers with %s reset the stream', (_, pairs, end) => {
    const server = post().receive(headers(1, pairs, end));
    expect(server.sent()).toEqual(['RST_STREAM 1 PROTOCOL_ERROR']);
    expect(server.events).not.toContain('1 end');
  });
});

test('equal heads over an unchanged table are one object, and unequal ones are not', () => {
  const server = RecordedServer.greeted();
  server.receive(headers(1, [[':method', 'GET']], true));
  const indexedGet = Buffer.from('82868441016101'.slice(0, 6), 'hex');
  const bytes = Buffer.concat([indexedGet, Buffer.from('01', 'hex'), Buffer.of(3), Buffer.from('a.b')]);
  const request = (id: number, end: boolean): Buffer => {
    const header = Buffer.alloc(9);
    header.writeUIntBE(bytes.length, 0, 3);
    header[3] = 1;
    header[4] = end ? 5 : 4;
    header.writeUInt32BE(id, 5);
    return Buffer.concat([header, bytes]);
  };
  server.receive(request(3, true), request(5, true), request(7, false));
  expect(server.heads.get(5)).toBe(server.heads.get(3));
  expect(server.heads.get(7)).not.toBe(server.heads.get(3));
  expect(server.heads.get(7)?.bodyLength).toBe(-1);
});

test('the same bytes over a table that has grown are read anew', () => {
  const server = RecordedServer.greeted();
  const sound = block(GET);
  // The newest entry of the table, whatever that is by then.
  const newest = Buffer.concat([indexed(2), indexed(6), indexed(4), literal(':authority', 'a'), indexed(62)]);
  server.receive(headersOf(1, Buffer.concat([sound, incremental('x-a', 'first')]), 5), headersOf(3, newest, 5));
  server.receive(headersOf(5, Buffer.concat([sound, incremental('x-a', 'second')]), 5), headersOf(7, newest, 5));
  expect([3, 7].map((id) => server.heads.get(id)?.fields.get('x-a'))).toEqual(['first', 'second']);
  server.receive(headersOf(9, Buffer.concat([sizeUpdate(0), sound]), 5), headersOf(11, newest, 5));
  expect(server.fault).toBe('bad-hpack');
});
