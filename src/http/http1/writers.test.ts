import { describe, expect, test } from 'vitest';
import { get } from '../../../test/conformance/http1/row-tests.ts';
import type { RequestHead, ResponseHead } from '../head.ts';
import { HeaderEdits } from '../header-edits.ts';
import type { HeaderFields } from '../header-fields.ts';
import {
  assertCanonicalOutput,
  chunkPrefix,
  DEFAULT_HTTP1_LIMITS,
  encodeLocalResponseHead,
  encodeRequestHead,
  encodeResponseHead,
  encodeTrailers,
  Http1RequestDecoder,
  LAST_CHUNK,
  NonCanonicalHeadError,
  setCanonicalCheck,
} from './http1.ts';

const OPTIONS = { keepAlive: true, upgrade: '' } as const;

/** Fields as another codec would hold them. */
function fieldsOf(...pairs: readonly (readonly [string, string])[]): HeaderFields {
  const indexOf = (name: string, from = 0): number => pairs.findIndex(([key], index) => index >= from && key === name);
  return {
    count: pairs.length,
    nameAt: (index) => pairs[index]?.[0] ?? '',
    valueAt: (index) => pairs[index]?.[1] ?? '',
    indexOf,
    get: (name) => pairs[indexOf(name)]?.[1],
    isHopByHop: () => false,
  };
}

function foreignRequest(fields: HeaderFields, overrides: Partial<RequestHead> = {}): RequestHead {
  const plain = { version: 20, method: 'GET', scheme: 'http', authority: 'a', path: '/', bodyLength: 0 } as const;
  return { ...plain, upgrade: '', expectContinue: false, fields, ...overrides };
}

function http1Head(bytes: string): RequestHead {
  const heads: RequestHead[] = [];
  const ignore = (): void => undefined;
  const decoder = new Http1RequestDecoder(
    {
      onRequestHead: (head) => heads.push(head),
      onRequestBody: ignore,
      onRequestTrailers: ignore,
      onRequestEnd: ignore,
    },
    DEFAULT_HTTP1_LIMITS,
  );
  const buffer = Buffer.from(bytes, 'latin1');
  decoder.decode(buffer, 0, buffer.length);
  const [head] = heads;
  if (head === undefined) throw new Error(`no head: ${decoder.fault?.reason}`);
  return head;
}

describe('edits', () => {
  test('removed fields are left out, added ones follow in order', () => {
    const head = http1Head(get('A: 1', 'B: 2', 'C: 3', 'D: 4'));
    const edits = new HeaderEdits();
    edits.remove(head.fields, 'b');
    edits.set(head.fields, 'd', 'new');
    edits.add('e', '5');
    expect(encodeRequestHead(head, edits, head, 0, OPTIONS)).toBe(get('A: 1', 'C: 3', 'd: new', 'e: 5'));
  });

  test('a rewritten path, method or authority is written in place of what was received', () => {
    const head = http1Head(get('A: 1'));
    const line = { method: 'GET', path: '/other', authority: 'a' };
    const edits = new HeaderEdits();
    expect(encodeRequestHead(head, edits, line, 0, OPTIONS)).toBe('GET /other HTTP/1.1\r\nHost: a\r\nA: 1\r\n\r\n');
    const elsewhere = { method: 'GET', path: '/', authority: 'b' };
    expect(encodeRequestHead(head, edits, elsewhere, 0, OPTIONS)).toBe('GET / HTTP/1.1\r\nhost: b\r\nA: 1\r\n\r\n');
    const posted = { method: 'POST', path: '/', authority: 'a' };
    expect(encodeRequestHead(head, edits, posted, 0, OPTIONS)).toBe(
      'POST / HTTP/1.1\r\nHost: a\r\nA: 1\r\ncontent-length: 0\r\n\r\n',
    );
  });

  test('framing and connection fields cannot be added', () => {
    const head = http1Head(get('A: 1'));
    const edits = new HeaderEdits();
    for (const name of ['content-length', 'transfer-encoding', 'connection', 'keep-alive', 'upgrade', 'te', 'host']) {
      edits.add(name, '7');
    }
    expect(encodeRequestHead(head, edits, head, 3, OPTIONS)).toBe(get('A: 1', 'content-length: 3'));
  });

  test('an edit or rewrite that would change the framing of the head is refused, the head is not written', () => {
    const head = http1Head(get());
    for (const value of ['a\r\nX: y', 'a\nb', 'a\x00', '\u010aX: y', '\u0d0a', 'a\x7f']) {
      const edits = new HeaderEdits();
      edits.add('x', value);
      expect(() => encodeRequestHead(head, edits, head, 0, OPTIONS), value).toThrow(NonCanonicalHeadError);
      expect(() => encodeLocalResponseHead(200, ['x', value], 0, true)).toThrow(NonCanonicalHeadError);
    }
    for (const name of ['', 'a b', 'a:', 'a\r\nb', '\xe4']) {
      const edits = new HeaderEdits();
      edits.add(name, 'x');
      expect(() => encodeRequestHead(head, edits, head, 0, OPTIONS), name).toThrow(NonCanonicalHeadError);
    }
    for (const path of ['/a b', '/a\r\n', '', '/\u0120', '/#']) {
      const line = { method: 'GET', path, authority: 'a' };
      expect(() => encodeRequestHead(head, new HeaderEdits(), line, 0, OPTIONS), path).toThrow(NonCanonicalHeadError);
    }
  });

  test('blanks around an added value are removed', () => {
    expect(encodeLocalResponseHead(200, ['x', ' a ', 'y', '\t'], 0, true)).toBe(
      'HTTP/1.1 200 OK\r\nx: a\r\ny: \r\ncontent-length: 0\r\n\r\n',
    );
  });
});

describe('heads of other codecs', () => {
  test('fields are written one by one, without connection fields and a second Host', () => {
    const fields = fieldsOf(
      ['host', 'evil'],
      ['te', 'trailers'],
      ['a', '1'],
      ['transfer-encoding', 'x'],
      ['cookie', 'b=c'],
    );
    const head = foreignRequest(fields, { bodyLength: -1, method: 'POST' });
    expect(encodeRequestHead(head, new HeaderEdits(), head, -1, OPTIONS)).toBe(
      'POST / HTTP/1.1\r\nhost: a\r\na: 1\r\ncookie: b=c\r\ntransfer-encoding: chunked\r\n\r\n',
    );
  });

  test('a field that HTTP/1.1 cannot carry is refused', () => {
    for (const [name, value] of [
      ['a', 'b\r\nc: d'],
      ['a b', 'c'],
      ['a:b', 'c'],
      ['a', '\x00'],
    ] as const) {
      const head = foreignRequest(fieldsOf([name, value]));
      expect(() => encodeRequestHead(head, new HeaderEdits(), head, 0, OPTIONS)).toThrow(NonCanonicalHeadError);
    }
  });

  test('a response is framed for the client it goes to', () => {
    const head: ResponseHead = {
      version: 20,
      status: 200,
      fields: fieldsOf(['a', '1'], ['content-length', '9']),
      bodyLength: 9,
      keepAlive: true,
      keepAliveTimeoutMs: 0,
    };
    const framing = { status: 200, version: 11, keepAlive: false, bodyLength: 9 } as const;
    expect(encodeResponseHead(head, new HeaderEdits(), framing)).toBe(
      'HTTP/1.1 200 OK\r\na: 1\r\ncontent-length: 9\r\nconnection: close\r\n\r\n',
    );
    const toHead = { ...framing, requestMethod: 'HEAD', bodyLength: 0, keepAlive: true };
    expect(encodeResponseHead(head, new HeaderEdits(), toHead)).toBe(
      'HTTP/1.1 200 OK\r\na: 1\r\ncontent-length: 9\r\n\r\n',
    );
  });
});

describe('framing', () => {
  test('methods that anticipate content say that there is none', () => {
    for (const [method, line] of [
      ['POST', 'content-length: 0\r\n'],
      ['GET', ''],
      ['DELETE', ''],
    ] as const) {
      const head = foreignRequest(fieldsOf(), { method });
      expect(encodeRequestHead(head, new HeaderEdits(), head, 0, OPTIONS)).toBe(
        `${method} / HTTP/1.1\r\nhost: a\r\n${line}\r\n`,
      );
    }
  });

  test('a connection that is not kept says so', () => {
    const head = foreignRequest(fieldsOf());
    const closing = { keepAlive: false, upgrade: '' };
    expect(encodeRequestHead(head, new HeaderEdits(), head, 0, closing)).toContain('\r\nconnection: close\r\n');
  });

  test('chunks and trailers', () => {
    expect([chunkPrefix(1), chunkPrefix(255), chunkPrefix(65536)]).toEqual(['1\r\n', 'ff\r\n', '10000\r\n']);
    expect(() => chunkPrefix(0)).toThrow(/LAST_CHUNK/);
    expect(LAST_CHUNK).toBe('0\r\n\r\n');
    const fields = fieldsOf(['grpc-status', '0'], ['content-length', '5'], ['grpc-message', 'x']);
    expect(encodeTrailers(fields)).toBe('0\r\ngrpc-status: 0\r\ngrpc-message: x\r\n\r\n');
    expect(() => encodeTrailers(fieldsOf(['a', 'b\r\n\r\nGET / HTTP/1.1']))).toThrow(NonCanonicalHeadError);
  });
});

describe('the canonical check', () => {
  const sound = ['GET / HTTP/1.1\r\nHost: a\r\n\r\n', 'HTTP/1.1 200 OK\r\nX:y\r\nz:\r\ncontent-length: 0\r\n\r\n'];
  const unsound = [
    'GET / HTTP/1.1\r\nHost: a\r\n',
    'GET / HTTP/1.0\r\nHost: a\r\n\r\n',
    'GET  / HTTP/1.1\r\nHost: a\r\n\r\n',
    'GET / HTTP/1.1\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a b\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\nX: y \r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\nX:  y\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\n X: y\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\nX: y\nZ: a\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\nX: \u010a\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\n\r\nX: y\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\ncontent-length: 01\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\nKeep-Alive: 5\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\nupgrade: websocket\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\nconnection: upgrade\r\n\r\n',
    'HTTP/1.1 099 x\r\n\r\n',
    'HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n',
  ];

  test('passes heads in our one form and throws on any other', () => {
    for (const text of sound) expect(() => assertCanonicalOutput(text), text).not.toThrow();
    for (const text of unsound) expect(() => assertCanonicalOutput(text), text).toThrow(/Not canonical/);
  });

  test('runs at the last write step where it is switched on, and only there', () => {
    const upgraded = { status: 101, version: 11, keepAlive: true, bodyLength: 0, upgrade: '' } as const;
    const head: ResponseHead = {
      version: 11,
      status: 101,
      fields: fieldsOf(['x_y', 'a']),
      bodyLength: 0,
      keepAlive: true,
      keepAliveTimeoutMs: 0,
    };
    const twice = new HeaderEdits();
    setCanonicalCheck(false);
    expect(() => encodeResponseHead(head, twice, upgraded)).not.toThrow();
    setCanonicalCheck(true);
    expect(() => encodeResponseHead(head, twice, upgraded)).not.toThrow();
    const lowerCaseMethod = foreignRequest(fieldsOf(), { method: 'get' });
    expect(() => encodeRequestHead(lowerCaseMethod, twice, lowerCaseMethod, 0, OPTIONS)).toThrow(/Not canonical/);
    setCanonicalCheck(false);
    expect(() => encodeRequestHead(lowerCaseMethod, twice, lowerCaseMethod, 0, OPTIONS)).not.toThrow();
  });
});
