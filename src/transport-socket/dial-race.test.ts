import { expect, test } from 'vitest';
import type { Address } from '../resource/address.ts';
import { DialRace, dialOrder } from './dial-race.ts';
import type { DialAttempt } from './dialling.ts';
import { EventTurn } from './event-turn.ts';
import type { StreamSocket, StreamSocketUser } from './stream-socket.ts';

const ip = (host: string): Address => ({ kind: 'ip', host, port: 80 });
const hostOf = (address: Address): string => (address.kind === 'ip' ? address.host : address.path);
const V6 = '2001:db8::1';
const V4 = '192.0.2.1';
const OTHER = '192.0.2.2';

/** A race whose sockets and time are the test's. */
class Track {
  readonly log: string[] = [];
  readonly race: DialRace;
  readonly #users = new Map<string, StreamSocketUser>();
  readonly #turn: EventTurn;
  #nowMs = 0;

  constructor(hosts: readonly string[]) {
    const clock = { nowMs: () => this.#nowMs, wallMs: () => this.#nowMs };
    this.#turn = new EventTurn(clock, (error) => this.log.push(String(error)));
    this.race = new DialRace({
      turn: this.#turn,
      addresses: hosts.map(ip),
      dial: (address, user) => this.#dial(hostOf(address), user),
      onWon: ({ socket }) => this.log.push(`won ${socket.remoteAddress}`),
      user: silent({
        onSocketFailed: (code) => this.log.push(`failed ${code}`),
        onSocketClosed: () => this.log.push('closed'),
      }),
    });
  }

  pass(milliseconds: number): void {
    this.#nowMs += milliseconds;
    this.#turn.advance();
  }

  connect(host: string): void {
    this.#users.get(host)?.onSocketConnected();
  }

  fail(host: string, code: string): void {
    this.#users.get(host)?.onSocketFailed(code);
    this.#users.get(host)?.onSocketClosed();
  }

  [Symbol.dispose](): void {
    this.#turn.stop();
  }

  #dial(host: string, user: StreamSocketUser): DialAttempt {
    this.log.push(`dial ${host}`);
    this.#users.set(host, user);
    const nothing = (): void => undefined;
    const socket: StreamSocket = {
      unsentBytes: 0,
      takesAtOnce: true,
      remoteAddress: host,
      remotePort: 80,
      localAddress: '',
      localPort: 0,
      user,
      writeText: nothing,
      writeBytes: nothing,
      pause: nothing,
      resume: nothing,
      finish: nothing,
      destroy: () => this.log.push(`destroy ${host}`),
      reset: nothing,
      release: () => expect.unreachable('nobody takes it'),
    };
    return { socket, tls: undefined };
  }
}

function silent(heard: Partial<StreamSocketUser>): StreamSocketUser {
  const nothing = (): void => undefined;
  return {
    onSocketConnected: nothing,
    onSocketBytes: nothing,
    onSocketEnd: nothing,
    onSocketDrained: nothing,
    onSocketFailed: nothing,
    onSocketClosed: nothing,
    ...heard,
  };
}

test('families take turns, beginning with the first address', () => {
  const order = (...hosts: readonly string[]): readonly string[] => dialOrder(hosts.map(ip)).map(hostOf);
  expect(order('::1', '::2', '::3', V4, OTHER)).toEqual(['::1', V4, '::2', OTHER, '::3']);
  expect(order(V4, OTHER, '::1')).toEqual([V4, '::1', OTHER]);
  expect(order(V4, '::1', '::2', '::3')).toEqual([V4, '::1', '::2', '::3']);
  expect(order(V4)).toEqual([V4]);
});

test('the next address is dialled when nothing has come of the one before for 300 ms, and the first reached is taken', () => {
  using track = new Track([V6, V4, OTHER]);
  track.pass(290);
  expect(track.log).toEqual([`dial ${V6}`]);
  track.pass(10);
  expect(track.log).toEqual([`dial ${V6}`, `dial ${V4}`]);
  track.connect(V4);
  expect(track.log.slice(2)).toEqual([`destroy ${V6}`, `won ${V4}`]);
  // What is over is over: no further dial, and a late word of the loser changes nothing.
  track.pass(1_000);
  track.connect(V6);
  track.fail(V6, 'ECONNREFUSED');
  expect(track.log.length).toBe(4);
});

test('the first may still win after the second was dialled', () => {
  using track = new Track([V6, V4]);
  track.pass(300);
  track.connect(V6);
  expect(track.log.slice(2)).toEqual([`destroy ${V4}`, `won ${V6}`]);
});

test('a failure brings the next at once, and its turn lasts from then', () => {
  using track = new Track([V6, V4, OTHER]);
  track.pass(200);
  track.fail(V6, 'ENETUNREACH');
  expect(track.log).toEqual([`dial ${V6}`, `dial ${V4}`]);
  track.pass(200);
  expect(track.log.length).toBe(2);
  track.pass(100);
  expect(track.log[2]).toBe(`dial ${OTHER}`);
});

test('it fails with the last failure, once no address is left', () => {
  using track = new Track([V6, V4]);
  track.pass(300);
  track.fail(V4, 'ECONNREFUSED');
  expect(track.log.length).toBe(2);
  track.fail(V6, 'ETIMEDOUT');
  expect(track.log.slice(2)).toEqual(['failed ETIMEDOUT', 'closed']);
});

test('whoever gives up ends all of it, and is told later', async () => {
  using track = new Track([V6, V4, OTHER]);
  track.pass(300);
  track.race.destroy();
  expect(track.log.slice(2)).toEqual([`destroy ${V6}`, `destroy ${V4}`]);
  track.pass(1_000);
  await new Promise((resolve) => setImmediate(resolve));
  expect(track.log.slice(4)).toEqual(['closed']);
});
