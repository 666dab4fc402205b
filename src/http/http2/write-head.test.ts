import { describe, expect, test } from 'vitest';
import type { RequestHead } from '../head.ts';
import { HeaderEdits } from '../header-edits.ts';
import type { HeaderFields } from '../header-fields.ts';
import { DEFAULT_HTTP1_LIMITS, Http1RequestDecoder } from '../http1/http1.ts';
import { block, GET, headers, headersOf, neverIndexed, POST } from './frame-script.ts';
import { RecordedClient, requestHead } from './recorded-client.ts';
import { RecordedServer } from './recorded-server.ts';

const LINE = { method: 'GET', scheme: 'http', authority: 'b.test', path: '/new', upgrade: '' } as const;
const NOTHING = {
  onInformational() {},
  onResponseHead() {},
  onBody() {},
  onTrailers() {},
  onEnd() {},
  onReset() {},
  onWritable() {},
};
const PSEUDO = ':method=GET :scheme=http :path=/new :authority=b.test';

function sendRequest(
  head: RequestHead,
  edits = new HeaderEdits(),
  line: Partial<typeof LINE | { method: string }> = {},
  length = 0,
): string {
  const client = RecordedClient.greeted();
  client.connection.open(head, edits, { ...LINE, ...line }, length, NOTHING);
  return client.sent().join();
}

function http1Head(text: string): RequestHead {
  let found: RequestHead | undefined;
  const sink = {
    onRequestHead: (head: RequestHead) => {
      found = head;
    },
    onRequestBody() {},
    onRequestTrailers() {},
    onRequestEnd() {},
  };
  const bytes = Buffer.from(text);
  new Http1RequestDecoder(sink, DEFAULT_HTTP1_LIMITS).decode(bytes, 0, bytes.length);
  if (found === undefined) throw new Error('not a request');
  return found;
}

/** The head of a request that came over HTTP/2. */
function http2Head(bytes: Buffer): RequestHead {
  const head = RecordedServer.greeted().receive(bytes).heads.get(1);
  if (head === undefined) throw new Error('not a request');
  return head;
}

describe('requests', () => {
  test('from HTTP/1.1 lose their framing, host and connection fields, and gain lower case', () => {
    const text =
      'POST /a HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nConnection: x-hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nTE: trailers\r\nContent-Length: 3\r\nx-two:2\r\n\r\n';
    expect(sendRequest(http1Head(text), new HeaderEdits(), { method: 'POST' }, 3)).toBe(
      `HEADERS 1 ${PSEUDO.replace('GET', 'POST')} x-one=1 x-two=2 content-length=3`,
    );
  });

  test('from HTTP/2 keep te: trailers, and their length is made anew', () => {
    const head = http2Head(headers(1, [...POST, ['te', 'trailers'], ['content-length', '7'], ['x-a', 'b']]));
    expect(sendRequest(head, new HeaderEdits(), { method: 'POST' }, -1)).toBe(
      `HEADERS 1 ${PSEUDO.replace('GET', 'POST')} te=trailers x-a=b`,
    );
  });

  test('are edited: removed, added, trimmed, never in framing or host', () => {
    const head = http2Head(headers(1, [...GET, ['x-a', '1'], ['x-b', '2'], ['x-a', '3']]));
    const edits = new HeaderEdits();
    edits.remove(head.fields, 'x-a');
    edits.add('x-c', ' 4 ');
    edits.add('host', 'evil');
    edits.add('connection', 'close');
    edits.add('content-length', '99');
    expect(sendRequest(head, edits)).toBe(`HEADERS 1 ${PSEUDO} x-b=2 x-c=4`);
  });

  test.each([
    ['a name in upper case', 'X-A', 'b'],
    ['an empty name', '', 'b'],
    ['a pseudo-field', ':path', '/'],
    ['a line end', 'x', 'a\r\nb'],
    ['a code that latin1 cannot hold', 'x', '\u010a'],
  ])('with %s in an edit are not written, and the connection is as before', (_, name, value) => {
    const client = RecordedClient.greeted();
    const edits = new HeaderEdits();
    edits.add('x-sound', 'yes');
    edits.add(name, value);
    for (let attempt = 0; attempt < 3; attempt += 1) {
      expect(() => client.connection.open(requestHead(), edits, LINE, 0, NOTHING)).toThrow('may not be written');
    }
    expect(client.sent()).toEqual([]);
    client.connection.open(requestHead(), new HeaderEdits(), LINE, 0, NOTHING);
    expect(client.sent()).toEqual([`HEADERS 1 ${PSEUDO}`]);
  });

  test.each([['/a b'], [''], ['/a\r\nb'], ['/\u0120']])('with the path %j are not written', (path) => {
    const client = RecordedClient.greeted();
    const open = (): unknown => client.connection.open(requestHead(), new HeaderEdits(), { ...LINE, path }, 0, NOTHING);
    expect(open).toThrow('may not be written');
  });

  test('say that a POST has no body, and nothing of a GET', () => {
    expect(sendRequest(requestHead(), new HeaderEdits(), { method: 'POST' })).toContain('content-length=0');
    expect(sendRequest(requestHead())).not.toContain('content-length');
  });

  test('larger than a frame go out as HEADERS and CONTINUATION, and END_STREAM is on the first', () => {
    const client = RecordedClient.greeted();
    const pairs = Array.from({ length: 40 }, (_, index) => [`x-${index}`, 'v'.repeat(1000)] as const);
    const stream = client.connection.open(requestHead(pairs), new HeaderEdits(), LINE, 0, NOTHING);
    stream.end();
    const bytes = client.sentBytes();
    const server = RecordedServer.greeted();
    server.receive(bytes);
    expect(server.events).toEqual(['1 head GET /new', '1 end']);
    expect(server.heads.get(1)?.fields.count).toBe(40);
  });
});

describe('what must not be indexed', () => {
  test('credentials and cookies stay out of the table, and a field that came so goes on so', () => {
    const secret = Buffer.concat([
      block([...GET, ['authorization', 'Basic x'], ['cookie', 'a=b']]),
      neverIndexed('x-key', 'k'),
    ]);
    const head = http2Head(headersOf(1, secret, 5));
    const client = RecordedClient.greeted();
    const sizes = [1, 2, 3, 4].map(() => {
      client.connection.open(head, new HeaderEdits(), LINE, 0, NOTHING);
      const bytes = client.sentBytes();
      expect(bytes.includes('Basic x')).toBe(true);
      expect(bytes.includes('a=b')).toBe(true);
      expect(bytes.includes(Buffer.concat([Buffer.from([0x10, 5]), Buffer.from('x-key')]))).toBe(true);
      return bytes.length;
    });
    expect(sizes[3]).toBe(sizes[2]);
  });
});

describe('responses', () => {
  function respond(
    status: number,
    bodyLength: number,
    pairs: readonly (readonly [string, string])[],
    requestMethod = 'GET',
  ): string {
    const server = RecordedServer.greeted().receive(headers(1, GET, true));
    const { fields } = requestHead(pairs);
    const head = { version: 11, status, fields, bodyLength, keepAlive: true, keepAliveTimeoutMs: 0 } as const;
    server.stream(1).sendHead(head, new HeaderEdits(), { status, bodyLength, requestMethod });
    return server.sent().join();
  }

  test('declare the length they have, where one may be declared', () => {
    expect(respond(200, 5, [['x-a', 'b']])).toBe('HEADERS 1 :status=200 x-a=b content-length=5');
    expect(respond(200, -1, [])).toBe('HEADERS 1 :status=200');
    expect(respond(204, 0, [])).toBe('HEADERS 1 :status=204');
    expect(respond(304, 0, [])).toBe('HEADERS 1 :status=304');
    expect(respond(200, 0, [])).toBe('HEADERS 1 :status=200 content-length=0');
  });

  test('informational ones come before, and a 101 nobody asked for is a fault of the owner', () => {
    const server = RecordedServer.greeted().receive(headers(1, GET, true));
    const { fields } = requestHead([['link', '</a>']]);
    const head = { version: 11, status: 103, fields, bodyLength: 0, keepAlive: true, keepAliveTimeoutMs: 0 } as const;
    server.stream(1).sendInformational(head, new HeaderEdits());
    server.stream(1).sendLocalHead(200, ['x-a', 'b'], 0);
    server.stream(1).end();
    expect(server.sent()).toEqual([
      'HEADERS 1 :status=103 link=</a>',
      'HEADERS 1 :status=200 x-a=b content-length=0 end',
    ]);
    const other = RecordedServer.greeted().receive(headers(1, GET, true));
    expect(() => other.stream(1).sendLocalHead(101, [], 0)).toThrow('no 101');
  });

  test('trailers leave out what may not be one, and bad ones are refused before the stream ends', () => {
    const server = RecordedServer.greeted().receive(headers(1, GET, true));
    const stream = server.stream(1);
    stream.sendLocalHead(200, [], -1);
    expect(() => stream.sendTrailers(['x', 'a\nb'])).toThrow('may not be written');
    stream.sendTrailers(['grpc-status', '0', 'content-length', '5', 'grpc-message', '']);
    expect(server.sent()).toEqual(['HEADERS 1 :status=200', 'HEADERS 1 grpc-status=0 grpc-message= end']);
  });

  test('trailers received elsewhere are forwarded', () => {
    const server = RecordedServer.greeted().receive(headers(1, GET, true));
    const trailers: HeaderFields = requestHead([['x-t', '1']]).fields;
    server.stream(1).sendLocalHead(200, [], -1);
    server.stream(1).forwardTrailers(trailers);
    expect(server.sent().at(-1)).toBe('HEADERS 1 x-t=1 end');
  });
});
