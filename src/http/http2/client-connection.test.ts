import { describe, expect, test } from 'vitest';
import { CLIENT_PREFACE } from './frame.ts';
import {
  block,
  data,
  frame,
  goAway,
  headers,
  headersOf,
  OK,
  type Pairs,
  reset,
  settings,
  uint32,
  windowUpdate,
} from './frame-script.ts';
import { RecordedClient } from './recorded-client.ts';

describe('the opening', () => {
  test('preface, settings without push, and the rest of the connection window', () => {
    const client = new RecordedClient();
    const bytes = client.sentBytes();
    expect(bytes.subarray(0, CLIENT_PREFACE.length)).toEqual(CLIENT_PREFACE);
    expect(bytes.readUInt16BE(CLIENT_PREFACE.length + 9)).toBe(2);
    expect(bytes.readUInt32BE(CLIENT_PREFACE.length + 11)).toBe(0);
  });

  test('the server must begin with settings', () => {
    const client = new RecordedClient();
    client.receive(headers(1, OK));
    expect(client.fault).toBe('first-frame-not-settings');
  });
});

describe('a response', () => {
  test('head, body, trailers, end', () => {
    const client = RecordedClient.greeted();
    client.open();
    client.receive(headers(1, [...OK, ['x-a', 'b']]), data(1, 'hello'), headers(1, [['grpc-status', '0']], true));
    expect(client.events).toEqual(['1 head 200', '1 body hello', '1 trailers 1', '1 end', 'capacity']);
    expect(client.heads[0]).toMatchObject({ version: 20, status: 200, bodyLength: -1, keepAlive: true });
  });

  test('informational ones come before, and not without bound', () => {
    const client = RecordedClient.greeted();
    client.open();
    const early = headers(1, [[':status', '103']]);
    client.receive(...Array.from({ length: 16 }, () => early));
    expect(client.events.at(-1)).toBe('1 informational 103');
    client.receive(early);
    expect(client.events.at(-2)).toBe('1 reset too-many-informational-responses');
  });

  test.each([
    ['HEAD', 'HEAD', [...OK, ['content-length', '10']] as Pairs, true],
    ['204', 'GET', [[':status', '204']] as Pairs, true],
    [
      '304',
      'GET',
      [
        [':status', '304'],
        ['content-length', '10'],
      ] as Pairs,
      true,
    ],
  ])('to %s has no body whatever it declares, and may not have one', (_, method, pairs) => {
    const sound = RecordedClient.greeted();
    sound.open(method);
    sound.receive(headers(1, pairs, true));
    expect(sound.events).toEqual([`1 head ${pairs[0]?.[1]}`, '1 end', 'capacity']);
    expect(sound.heads[0]?.bodyLength).toBe(0);
    const unsound = RecordedClient.greeted();
    unsound.open(method);
    unsound.receive(headers(1, pairs), data(1, 'x'));
    expect(unsound.events.at(-2)).toBe('1 reset body-longer-than-declared');
  });

  test.each([
    ['no status', [['x-a', 'b']] as Pairs, true, 'missing-pseudo-field'],
    ['a status of two digits', [[':status', '20']] as Pairs, true, 'invalid-status'],
    ['status 600', [[':status', '600']] as Pairs, true, 'invalid-status'],
    ['101', [[':status', '101']] as Pairs, false, 'invalid-status'],
    ['a request pseudo-field', [...OK, [':path', '/']] as Pairs, true, 'unknown-pseudo-field'],
    ['a connection field', [...OK, ['connection', 'close']] as Pairs, true, 'connection-specific-field'],
    ['a line end in a value', [...OK, ['a', 'b\r\nc']] as Pairs, true, 'invalid-field-value'],
    ['an informational end', [[':status', '103']] as Pairs, true, 'informational-response-ends-stream'],
    ['an end short of its length', [...OK, ['content-length', '5']] as Pairs, true, 'body-shorter-than-declared'],
  ])('with %s is reset', (_, pairs, end, reason) => {
    const client = RecordedClient.greeted();
    client.open();
    client.sent();
    client.receive(headers(1, pairs, end));
    expect(client.events.at(-2)).toBe(`1 reset ${reason}`);
    expect(client.resets[0]).toMatchObject({ isByPeer: false, isUnprocessed: false });
    expect(client.sent()).toEqual(['RST_STREAM 1 PROTOCOL_ERROR']);
  });

  test('data before the head is reset; push and unopened streams end the connection', () => {
    const client = RecordedClient.greeted();
    client.open();
    client.receive(data(1, 'x'));
    expect(client.events.at(-2)).toBe('1 reset data-before-head');
    expect(RecordedClient.greeted().receive(frame(5, 4, 1, uint32(2))).fault).toBe('push-promise');
    expect(RecordedClient.greeted().receive(headers(2, OK)).fault).toBe('frame-on-idle-stream');
    expect(RecordedClient.greeted().receive(headers(1, OK)).fault).toBe('frame-on-idle-stream');
    expect(RecordedClient.greeted().receive(settings([2, 1])).fault).toBe('invalid-setting');
  });

  test('on a stream we have reset is dropped, and its table entries kept', () => {
    const client = RecordedClient.greeted();
    client.open().reset(8);
    client.open();
    const table = Buffer.concat([block(OK), Buffer.from('4001610162', 'hex')]);
    client.receive(headersOf(1, table, 4), data(1, 'x', true));
    client.receive(headersOf(3, Buffer.concat([block(OK), Buffer.of(0xbe)]), 5));
    expect(client.events.filter((event) => event.startsWith('1 '))).toEqual([]);
    expect(client.heads[0]?.fields.get('a')).toBe('b');
    expect(client.fault).toBe('');
  });
});

describe('how many streams', () => {
  test('a hundred before the server has spoken, then what it says', () => {
    const client = new RecordedClient({ maxConcurrentStreams: 500 });
    expect(client.connection.maxConcurrentStreams).toBe(100);
    client.receive(settings([3, 2]));
    expect(client.events).toEqual(['capacity']);
    client.open();
    client.open();
    expect(client.connection.canOpen).toBe(false);
    expect(() => client.open()).toThrow('canOpen');
    client.receive(headers(1, OK, true));
    expect(client.events.slice(1)).toEqual(['1 head 200', '1 end', 'capacity']);
    expect(client.connection.canOpen).toBe(true);
  });

  test('no bound but ours where the server names none', () => {
    const client = new RecordedClient({ maxConcurrentStreams: 500 });
    client.receive(settings());
    expect(client.connection.maxConcurrentStreams).toBe(500);
  });
});

describe('what is safe to send again (RFC 9113 §8.7)', () => {
  test('streams above the last one of a GOAWAY, and those refused; no others', () => {
    const client = RecordedClient.greeted();
    for (let opened = 0; opened < 4; opened += 1) client.open('POST');
    client.receive(goAway(3), reset(3, 7), reset(1, 2));
    expect(client.resets).toEqual([
      { code: 0, reason: 'above-goaway-last-stream', isByPeer: true, isUnprocessed: true },
      { code: 0, reason: 'above-goaway-last-stream', isByPeer: true, isUnprocessed: true },
      { code: 7, reason: 'reset-by-peer', isByPeer: true, isUnprocessed: true },
      { code: 2, reason: 'reset-by-peer', isByPeer: true, isUnprocessed: false },
    ]);
    expect(client.connection.canOpen).toBe(false);
    expect(client.events).toContain('drained');
  });

  test('a two-step GOAWAY loses nothing that was answered', () => {
    const client = RecordedClient.greeted();
    client.open();
    client.receive(goAway(2 ** 31 - 1));
    expect(client.events).toEqual(['peer draining 0']);
    client.receive(goAway(1), headers(1, OK, true));
    expect(client.events).toEqual(['peer draining 0', 'peer draining 0', '1 head 200', '1 end', 'drained', 'capacity']);
  });

  test('a lost connection is not such a promise', () => {
    const client = RecordedClient.greeted();
    client.open();
    client.connection.lost();
    expect(client.resets).toEqual([{ code: 0, reason: 'connection-lost', isByPeer: true, isUnprocessed: false }]);
    expect(client.connection.canOpen).toBe(false);
  });

  test('a draining client opens nothing and ends with its last stream', () => {
    const client = RecordedClient.greeted();
    client.open();
    client.connection.drain();
    expect(client.connection.canOpen).toBe(false);
    client.receive(headers(1, OK, true));
    expect(client.events).toContain('drained');
  });
});

describe('a server that floods', () => {
  test('with resets of what we asked for does no harm', () => {
    const client = RecordedClient.greeted();
    for (let id = 1; id < 4000; id += 2) {
      client.open();
      client.receive(reset(id, 7));
    }
    expect(client.fault).toBe('');
  });

  test('with WINDOW_UPDATEs ends the connection', () => {
    const client = RecordedClient.greeted();
    client.receive(...Array.from({ length: 6 }, () => windowUpdate(0, 1)));
    expect(client.fault).toBe('window-update-flood');
  });
});

describe('extended CONNECT (RFC 8441)', () => {
  test('waits for the server to offer it, and tells the 2xx as 101', () => {
    const client = RecordedClient.greeted();
    expect(() => client.open('GET', 'websocket')).toThrow('allowsExtendedConnect');
    client.receive(settings([8, 1]));
    client.sent();
    const stream = client.open('GET', 'websocket');
    expect(client.sent()).toEqual([
      'HEADERS 1 :method=CONNECT :protocol=websocket :scheme=http :path=/ :authority=a.test',
    ]);
    client.receive(headers(1, OK), data(1, 'down'));
    stream.sendBodyText('up');
    expect(client.events.slice(-2)).toEqual(['1 head 101', '1 body down']);
    expect(client.sent()).toEqual(['DATA 1 2']);
  });
});
