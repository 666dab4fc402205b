import http2 from 'node:http2';
import type net from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  block,
  CLIENT_HELLO,
  data,
  GET,
  headers,
  headersOf,
  incremental,
  indexed,
  type Pairs,
  POST,
  settings,
  settingsAck,
} from '../../../src/http/http2/frame-script.ts';
import { CLIENT_PREFACE } from '../../../src/http/http2/http2.ts';
import { RawPeer, RawUpstream } from '../../../src/sidecar/listener/data-path-fixture.ts';
import { ChildProgram } from '../../mesh/support/child-program.ts';
import { AttackedListener, Growth } from './attacked-listener.ts';
import { END_BOTH, FLOODS, get, post, streamAt } from './floods.ts';

/**
 * The published attacks against a whole listener: sockets, connection manager, router and an app. The attacker reads nothing.
 * It is cut off or refused, for a reason that is counted by name; what it makes us keep is bounded; others are served. The
 * listener's clock stands still meanwhile: no deadline is waited for. How long it takes by the wall, `npm run bench --
 * attacks` measures.
 */

const APP = fileURLToPath(new URL('./app-program.ts', import.meta.url));
const MOST_GROWTH_BYTES = 8 * 1024 * 1024;
const BYTES_PER_WRITE = 32 * 1024;
/** More than any attack may get through with. */
const MOST_ATTACK_BYTES = 8 * 1024 * 1024;
const LOOKS_EVERY_WRITES = 32;

const INITIAL_WINDOW_SIZE = 4;

let listener: AttackedListener;

beforeEach(async () => {
  listener = new AttackedListener();
  await listener.start();
});

afterEach(() => listener.stop());

/** Lets every socket have its turn. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Whether it comes to hold while sockets have their turns; soon where it does, and not for ever where it does not. */
async function until(holds: () => boolean, withinMs = 5_000): Promise<boolean> {
  const startedAtMs = performance.now();
  while (!holds() && performance.now() - startedAtMs < withinMs) await turn();
  return holds();
}

/** Sends what `frameOf` makes until one of the reasons is counted. */
async function flood(
  socket: net.Socket,
  frameOf: (index: number) => Buffer,
  reasons: readonly string[],
  growth: Growth,
) {
  const isEnded = (): boolean => reasons.some((reason) => listener.count(reason) > 0);
  let sent = 0;
  for (let write = 1, index = 0; !isEnded() && sent < MOST_ATTACK_BYTES; write += 1) {
    const frames: Buffer[] = [];
    for (let bytes = 0; bytes < BYTES_PER_WRITE; index += 1) {
      const next = frameOf(index);
      frames.push(next);
      bytes += next.length;
    }
    const chunk = Buffer.concat(frames);
    sent += chunk.length;
    if (!socket.destroyed) socket.write(chunk);
    await until(() => isEnded() || socket.destroyed || socket.writableLength === 0, 50);
    if (write % LOOKS_EVERY_WRITES === 0) growth.look(socket.writableLength);
  }
  await until(isEnded);
}

/** The row first: vitest cuts short what it takes out of an object. */
function named<T extends { readonly row: string }>(rows: readonly T[]): (readonly [string, T])[] {
  return rows.map((one) => [one.row, one] as const);
}

describe('an attacker that reads nothing is cut off, bystanders are served', () => {
  test.each(named(FLOODS))('attack %s', async (_, { frameOf, reasons, hello }) => {
    const bystander = await listener.bystander();
    await bystander.answers(20);
    const growth = new Growth(listener);
    const socket = await listener.attacker(hello);
    await flood(socket, frameOf, reasons, growth);
    growth.look(socket.writableLength);
    const ended = reasons.filter((reason) => listener.count(reason) > 0);
    expect(ended, `none of ${reasons.join(', ')} was counted`).toHaveLength(1);
    socket.destroy();
    await bystander.answers(20);
    await bystander.stop();
    expect(bystander.failed).toBe(0);
    expect(growth.mostBytes).toBeLessThan(MOST_GROWTH_BYTES);
    expect(await until(() => listener.openConnections() === 0 && listener.openRequests() === 0)).toBe(true);
  });
});

interface Malformed {
  readonly row: string;
  readonly frames: readonly Buffer[];
  /** Its stream, stream 1, is reset for that reason. */
  readonly reason: string;
}

const declared: Pairs = [...POST, ['content-length', '10']];
const added = (name: string, value: string): readonly Buffer[] => [headers(1, [...GET, [name, value]], true)];
const changed = (name: string, value: string): readonly Buffer[] => [
  headers(
    1,
    GET.map((pair) => (pair[0] === name ? ([name, value] as const) : pair)),
    true,
  ),
];

const MALFORMED: readonly Malformed[] = [
  {
    row: '15: trailers without END_STREAM',
    frames: [headers(1, post('/never')), headers(1, [['x-a', 'b']])],
    reason: 'trailers-without-end',
  },
  {
    row: '15: DATA after END_STREAM',
    frames: [headers(1, get('/never'), true), data(1, 'x')],
    reason: 'data-after-end',
  },
  {
    row: '16: CONNECT',
    frames: [
      headers(
        1,
        [
          [':method', 'CONNECT'],
          [':authority', 'a:1'],
        ],
        true,
      ),
    ],
    reason: 'connect-not-allowed',
  },
  { row: '16: no pseudo-field', frames: [headers(1, [], true)], reason: 'missing-pseudo-field' },
  {
    row: '16: no :path',
    frames: [
      headers(
        1,
        GET.filter(([name]) => name !== ':path'),
        true,
      ),
    ],
    reason: 'missing-pseudo-field',
  },
  {
    row: '17: H2.CL, END_STREAM with a length',
    frames: [headers(1, declared, true)],
    reason: 'body-shorter-than-declared',
  },
  {
    row: '17: H2.CL, a short body',
    frames: [headers(1, declared), data(1, 'short', true)],
    reason: 'body-shorter-than-declared',
  },
  {
    row: '17: H2.CL, a long body',
    frames: [headers(1, declared), data(1, 'longer than ten', true)],
    reason: 'body-longer-than-declared',
  },
  {
    row: '17: H2.CL, a short body and trailers',
    frames: [headers(1, declared), data(1, 'x'), headers(1, [['x', 'y']], true)],
    reason: 'body-shorter-than-declared',
  },
  {
    row: '17: two lengths',
    frames: [headers(1, [...declared, ['content-length', '10']])],
    reason: 'repeated-content-length',
  },
  { row: '18: H2.TE', frames: added('transfer-encoding', 'chunked'), reason: 'connection-specific-field' },
  { row: '18: connection', frames: added('connection', 'close'), reason: 'connection-specific-field' },
  { row: '18: te that is not trailers', frames: added('te', 'gzip'), reason: 'te-other-than-trailers' },
  { row: '19: CR LF in a value', frames: added('x', 'a\r\nhost: b'), reason: 'invalid-field-value' },
  { row: '19: NUL in a value', frames: added('x', 'a\0'), reason: 'invalid-field-value' },
  { row: '19: a blank before a value', frames: added('x', ' a'), reason: 'invalid-field-value' },
  { row: '19: upper case in a name', frames: added('X', 'a'), reason: 'invalid-field-name' },
  { row: '19: a head inside a name', frames: added('x: y\r\nz', 'a'), reason: 'invalid-field-name' },
  { row: '19: a pseudo-field after the others', frames: added(':path', '/b'), reason: 'repeated-pseudo-field' },
  {
    row: '19: a pseudo-field nobody knows',
    frames: [headers(1, [...GET, [':x', 'a']], true)],
    reason: 'unknown-pseudo-field',
  },
  {
    row: '20: Host that differs from :authority',
    frames: added('host', 'b.test'),
    reason: 'host-differs-from-authority',
  },
  { row: '20: :path without a slash', frames: changed(':path', 'a'), reason: 'invalid-path' },
  { row: '20: :path of * for GET', frames: changed(':path', '*'), reason: 'invalid-path' },
  { row: '20: an empty :path', frames: changed(':path', ''), reason: 'invalid-path' },
  { row: '20: :scheme with a URL', frames: changed(':scheme', 'http://b.test/?'), reason: 'invalid-scheme' },
  { row: '20: :method with a query', frames: changed(':method', 'GET /?x'), reason: 'invalid-method' },
  { row: '20: :authority with userinfo', frames: changed(':authority', 'u@a.test'), reason: 'invalid-authority' },
  { row: '20: :authority with a path', frames: changed(':authority', 'a.test/x'), reason: 'invalid-authority' },
];

describe('a malformed message ends its stream and reaches nobody', () => {
  test.each(named(MALFORMED))('attack %s', async (_, { frames, reason }) => {
    const bystander = await listener.bystander();
    await bystander.answers(5);
    await bystander.stop();
    const { completed } = listener.app;
    const socket = await listener.attacker();
    for (const bytes of frames) {
      socket.write(bytes);
      await until(() => socket.writableLength === 0);
    }
    await until(() => listener.count(reason) > 0);
    expect(listener.count(reason)).toBe(1);
    // The connection is none the worse for it.
    socket.write(headers(3, GET, true));
    expect(await until(() => listener.app.completed === completed + 1)).toBe(true);
    socket.destroy();
    await until(() => listener.openConnections() === 0);
    expect(listener.app.completed).toBe(completed + 1);
    expect(listener.openRequests()).toBe(0);
  });
});

describe('an upgrade to h2c', () => {
  /** RFC 7540 §3.2; RFC 9113 §3.1 has withdrawn it. */
  const UPGRADE = [
    'GET /h2c HTTP/1.1',
    'host: web',
    'connection: Upgrade, HTTP2-Settings',
    'upgrade: h2c',
    'http2-settings: AAMAAABkAAQAoAAAAAIAAAAA',
    '\r\n',
  ].join('\r\n');
  const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
  let app: RawUpstream;
  let client: RawPeer;

  beforeEach(async () => {
    app = await RawUpstream.listen();
    listener.useApp(app.port);
    client = await RawPeer.connect(listener.port);
  });

  afterEach(() => {
    client.destroy();
    app.close();
  });

  test('attack 24: Upgrade: h2c does not reach the app, and is answered in HTTP/1.1', async () => {
    client.send(UPGRADE);
    const host = await app.connection(0);
    const request = await host.receives('\r\n\r\n');
    expect(request).toMatch(/^GET \/h2c HTTP\/1\.1\r\n/);
    expect(request).not.toMatch(/h2c\r\n|upgrade|http2-settings/i);
    host.send(OK);
    expect(await client.receives('ok')).toMatch(/^HTTP\/1\.1 200 /);
  });

  test('attack 24: HTTP/2 behind an upgrade that was not granted reaches nobody', async () => {
    client.socket.write(Buffer.concat([Buffer.from(UPGRADE), CLIENT_HELLO, headers(3, GET, true)]));
    const host = await app.connection(0);
    const request = await host.receives('\r\n\r\n');
    host.send(OK);
    const answers = await client.ends();
    expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 505']);
    expect(host.received).toBe(request);
    expect(app.connections).toHaveLength(1);
  });
});

describe('what a reader that stands still makes us keep is bounded', () => {
  const NO_WINDOW = Buffer.concat([CLIENT_PREFACE, settings([INITIAL_WINDOW_SIZE, 0]), settingsAck()]);

  let app: ChildProgram;

  beforeEach(async () => {
    app = new ChildProgram({ name: 'app', args: [APP] });
    const [, port] = await app.said(/listening on (\d+)/);
    listener.useApp(Number(port));
  });

  afterEach(() => app.kill());

  async function stall(hello: Buffer, frames: (index: number) => Buffer, count: number): Promise<number> {
    const bystander = await listener.bystander();
    await bystander.answers(20);
    const growth = new Growth(listener);
    const socket = await listener.attacker(hello);
    for (let index = 0; index < count; index += 1) socket.write(frames(index));
    await until(() => listener.openRequests() >= count, 500);
    for (let look = 0; look < 5; look += 1) {
      await bystander.answers(20);
      growth.look();
    }
    await bystander.stop();
    expect(bystander.failed).toBe(0);
    socket.destroy();
    expect(await until(() => listener.openConnections() === 0 && listener.openRequests() === 0)).toBe(true);
    return growth.mostBytes;
  }

  const asks = (path: string) => (index: number) => headers(streamAt(index), get(path), true);

  describe('with the streams of an edge, a hundred', () => {
    const EDGE = 100;

    test('attack 10: large answers, and no window for any', async () => {
      expect(await stall(NO_WINDOW, asks('/large/'), EDGE)).toBeLessThan(MOST_GROWTH_BYTES);
    });

    test('attack 10: large answers into a socket that nobody reads', async () => {
      expect(await stall(CLIENT_HELLO, asks('/large/'), EDGE)).toBeLessThan(MOST_GROWTH_BYTES);
    });

    test('attack 04: one-byte references with no window for the answers', async () => {
      const first = headersOf(1, Buffer.concat([block(get('/large/')), incremental('x-a', 'b'.repeat(500))]), END_BOTH);
      const more = Buffer.concat([block(get('/large/')), Buffer.alloc(90, indexed(62))]);
      const frames = (i: number): Buffer => (i === 0 ? first : headersOf(streamAt(i), more, END_BOTH));
      expect(await stall(NO_WINDOW, frames, EDGE)).toBeLessThan(MOST_GROWTH_BYTES);
    });
  });

  describe('with the streams of a mesh, a thousand, the requests themselves included', () => {
    const MESH = 1_000;

    test('attack 10: large answers, and no window for any', async () => {
      expect(await stall(NO_WINDOW, asks('/large/'), MESH)).toBeLessThan(MOST_GROWTH_BYTES);
      expect(listener.count('backlog-paused')).toBeGreaterThan(0);
    });

    test('attack 10: large answers into a socket that nobody reads', async () => {
      expect(await stall(CLIENT_HELLO, asks('/large/'), MESH)).toBeLessThan(MOST_GROWTH_BYTES);
      expect(listener.count('backlog-paused')).toBeGreaterThan(0);
    });
  });

  test('a reader that goes on gets every answer whole', async () => {
    const session = http2.connect(`http://127.0.0.1:${listener.port}`, { settings: { initialWindowSize: 0 } });
    session.on('error', () => undefined);
    const bodies = Array.from({ length: 200 }, async () => {
      const stream = session.request({ ':path': '/large/' });
      let received = 0;
      for await (const bytes of stream) received += (bytes as Buffer).length;
      return received;
    });
    await until(() => listener.count('backlog-paused') > 0);
    session.settings({ initialWindowSize: 65_535 });
    expect(new Set(await Promise.all(bodies))).toEqual(new Set([300_000]));
    session.destroy();
  });

  test('attack 10: bodies that the app does not take', async () => {
    const body = Buffer.alloc(16_000, 'b');
    const frames = (i: number): Buffer =>
      Buffer.concat([headers(streamAt(i), post('/never')), data(streamAt(i), body)]);
    expect(await stall(CLIENT_HELLO, frames, 60)).toBeLessThan(MOST_GROWTH_BYTES);
  });

  test('attack 22: heads that nobody reads', async () => {
    const bystander = await listener.bystander();
    await bystander.answers(20);
    const growth = new Growth(listener);
    const socket = await listener.attacker();
    for (let index = 0; index < 40_000 && listener.count('outbound-flood') === 0; ) {
      const requests = Array.from({ length: 50 }, () => headers(streamAt(index++), get('/unchanged'), true));
      socket.write(Buffer.concat(requests));
      await until(() => listener.answered(3) >= index || listener.count('outbound-flood') > 0);
    }
    growth.look();
    expect(listener.count('outbound-flood')).toBeGreaterThan(0);
    await bystander.stop();
    expect(bystander.failed).toBe(0);
    expect(growth.mostBytes).toBeLessThan(MOST_GROWTH_BYTES);
  });
});
