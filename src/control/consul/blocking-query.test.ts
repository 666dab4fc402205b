import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { seededRandom } from '../../base/random.ts';
import { BlockingQuery, type WatchState, type WatchTimings } from './blocking-query.ts';
import { ConsulHttp } from './consul-http.ts';
import { FakeConsul, type FakeFault } from './testing/fake-consul.ts';

const PATH = '/v1/config/service-router';
const FAST: WatchTimings = { waitMs: 60_000, slackMs: 100, answerMs: 300, backoffBaseMs: 2, backoffCapMs: 20 };

let fake: FakeConsul;
let http: ConsulHttp;
let query: BlockingQuery<unknown>;
let states: WatchState<unknown>[];

function watch(consul: ConsulHttp, timings: WatchTimings = FAST, mustBeWhole = false): BlockingQuery<unknown> {
  const started = new BlockingQuery<unknown>({
    consul,
    path: PATH,
    query: {},
    mustBeWhole,
    parse: (body) => {
      if (!Array.isArray(body)) throw new Error('no list');
      return body;
    },
    clock: systemClock,
    random: seededRandom(1),
    timings,
    onState: (state) => states.push(state),
  });
  void started.start();
  return started;
}

const value = (): unknown => ('value' in query.state ? query.state.value : undefined);
const until = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 5_000, interval: 5 });

beforeEach(async () => {
  states = [];
  fake = await FakeConsul.start();
  fake.set(PATH, ['one']);
  http = new ConsulHttp({ addresses: [fake.address], token: 'secret' });
  query = watch(http);
  await until(() => expect(fake.held).toBe(1));
});

afterEach(async () => {
  query.stop();
  await http.close();
  await fake.stop();
});

describe('blocking query', () => {
  it('asks once without an index, then blocks on the index it was given', () => {
    expect(value()).toEqual(['one']);
    expect(fake.questions).toEqual([PATH, `${PATH}?index=11&wait=60000ms`]);
  });

  it('hears of a change', async () => {
    fake.set(PATH, ['two']);
    await until(() => expect(value()).toEqual(['two']));
  });

  it('does not report an index that moved over unchanged content', async () => {
    const told = states.length;
    fake.touch(PATH);
    await until(() => expect(query.counters.unchanged).toBe(1));
    expect(states.length).toBe(told);
  });

  it('starts over at 0 when the index falls, and then blocks again', async () => {
    fake.resetIndexes();
    await until(() => expect(fake.questions.at(-1)).toContain('index=1&'));
    expect(query.counters.indexResets).toBe(1);
    expect(fake.questions.some((question) => question.includes('index=0'))).toBe(false);
    fake.set(PATH, ['after']);
    await until(() => expect(value()).toEqual(['after']));
  });

  it('asks anew when it is answered before its time with nothing new: an older snapshot was restored', async () => {
    fake.set(PATH, ['newer']);
    await until(() => expect(value()).toEqual(['newer']));
    await until(() => expect(fake.held).toBe(1));
    fake.restore({ [PATH]: ['older'] });
    await until(() => expect(value()).toEqual(['older']));
    expect(query.counters.abandoned).toBe(1);
    await until(() => expect(fake.questions.at(-1)).toContain('index=5&'));
    fake.set(PATH, ['after']);
    await until(() => expect(value()).toEqual(['after']));
  });

  it('does not ask anew where its time ran out', async () => {
    query.stop();
    query = watch(http, { ...FAST, waitMs: 20 });
    await until(() => expect(query.counters.unchanged).toBeGreaterThan(2));
    expect(query.counters.abandoned).toBe(0);
  });

  const faults: readonly (readonly [string, FakeFault, RegExp])[] = [
    [
      '403',
      { kind: 'status', status: 403, body: 'Permission denied' },
      /HTTP 403 \(Permission denied\); give the control server's token service:read/,
    ],
    ['429', { kind: 'status', status: 429, body: '' }, /HTTP 429; Consul limits this client/],
    ['500', { kind: 'status', status: 500, body: 'rpc error' }, /HTTP 500/],
    ['no leader', { kind: 'noLeader' }, /no leader/],
    ['garbage', { kind: 'garbage' }, /no JSON/],
    ['truncated JSON', { kind: 'truncated' }, /127\.0\.0\.1/],
  ];

  it.each(faults)('keeps the last value through %s, says why, and recovers', async (_name, fault, reason) => {
    fake.fail(fault);
    await until(() => expect(query.state.kind).toBe('stale'));
    expect(value()).toEqual(['one']);
    expect(query.state).toMatchObject({ error: expect.stringMatching(reason) as string });
    expect(query.state).toHaveProperty('lastSuccessWallMs');
    fake.fail({ kind: 'none' });
    fake.set(PATH, ['back']);
    await until(() => expect(query.state).toMatchObject({ kind: 'current', value: ['back'] }));
  });

  it('comes back when Consul says, after 429', async () => {
    const asked = fake.questions.length;
    fake.fail({ kind: 'status', status: 429, body: '', headers: { 'retry-after': '1' } });
    await until(() => expect(query.state.kind).toBe('stale'));
    expect(fake.questions.length).toBe(asked);
    fake.fail({ kind: 'none' });
    await until(() => expect(query.state.kind).toBe('current'));
    // One question that was refused, and the one a second later.
    expect(query.counters.failed).toBe(1);
  });

  it.each(faults)('does not spin through %s', async (_name, fault) => {
    query.stop();
    query = watch(http, { ...FAST, backoffBaseMs: 50, backoffCapMs: 100 });
    fake.fail(fault);
    await until(() => expect(query.counters.failed).toBeGreaterThan(5));
    // Full jitter below the cap makes 50 ms on average; a spinning loop would have asked thousands of times meanwhile.
    expect(query.counters.asked).toBeLessThan(20);
  });

  it('takes an answer of the stream of events, which never knows a leader, for what it is', async () => {
    fake.headers = { 'x-consul-query-backend': 'streaming', 'x-consul-knownleader': 'false' };
    fake.set(PATH, ['two']);
    await until(() => expect(value()).toEqual(['two']));
    expect(query.counters.failed).toBe(0);
  });

  it('asks the servers themselves before it believes that the stream of events has lost rows', async () => {
    const streamed = { 'x-consul-query-backend': 'streaming' };
    fake.headersOf = (isBlocking) => (isBlocking ? streamed : {});
    fake.set(PATH, ['one', 'two']);
    await until(() => expect(value()).toEqual(['one', 'two']));
    fake.set(PATH, ['two']);
    await until(() => expect(value()).toEqual(['two']));
    expect(query.counters.doubted).toBe(1);
    const told = states.length;
    fake.refuseUnblocked = true;
    fake.set(PATH, []);
    await until(() => expect(query.state).toMatchObject({ kind: 'stale', value: ['two'] }));
    expect(states.slice(told).some((state) => state.kind === 'current')).toBe(false);
    fake.refuseUnblocked = false;
    await until(() => expect(query.state).toMatchObject({ kind: 'current', value: [] }));
  });

  it('blocks on 1 where Consul answers index 0', async () => {
    fake.headers = { 'x-consul-index': '0' };
    fake.set(PATH, ['two']);
    await until(() => expect(value()).toEqual(['two']));
    await until(() => expect(fake.questions.at(-1)).toContain('index=1&'));
  });

  it('takes rows that the token may not read for an error, where the answer must be whole', async () => {
    query.stop();
    query = watch(http, FAST, true);
    await until(() => expect(value()).toEqual(['one']));
    fake.headers = { 'x-consul-results-filtered-by-acls': 'true' };
    fake.set(PATH, []);
    await until(() => expect(query.state).toMatchObject({ kind: 'stale', value: ['one'] }));
    expect(query.state).toMatchObject({
      error: expect.stringContaining('left rows out that the token may not read') as string,
    });
    fake.headers = {};
    fake.set(PATH, ['two']);
    await until(() => expect(query.state).toMatchObject({ kind: 'current', value: ['two'] }));
  });

  it('keeps the last value when the answer has the wrong shape', async () => {
    fake.set(PATH, { not: 'a list' });
    await until(() => expect(query.state).toMatchObject({ kind: 'stale', value: ['one'], error: 'no list' }));
  });

  it('gives up a question that is never answered', async () => {
    query.stop();
    fake.fail({ kind: 'hang' });
    query = watch(http, { ...FAST, waitMs: 50, answerMs: 50 });
    await until(() =>
      expect(query.state).toMatchObject({
        kind: 'failing',
        error: expect.stringContaining('no answer within') as string,
      }),
    );
    fake.fail({ kind: 'none' });
    await until(() => expect(query.state.kind).toBe('current'));
  });

  it('asks again at once when nudged out of a hung question', async () => {
    const asked = query.counters.asked;
    query.nudge();
    await until(() => expect(query.counters.asked).toBeGreaterThan(asked));
    expect(query.state.kind).toBe('current');
    expect(query.counters.failed).toBe(0);
  });

  it('asks no more once it is stopped', async () => {
    query.stop();
    await until(() => expect(fake.held).toBe(0));
    const asked = fake.questions.length;
    fake.set(PATH, ['later']);
    expect(fake.questions.length).toBe(asked);
    expect(value()).toEqual(['one']);
  });
});

describe('consul http', () => {
  it('goes over to the next address when one is dead, and stays there', async () => {
    const dead = await FakeConsul.start();
    const deadAddress = dead.address;
    await dead.stop();
    const both = new ConsulHttp({ addresses: [deadAddress, fake.address] });
    const answer = await both.ask(PATH, {}, { deadlineMs: 2_000 });
    expect(answer.json()).toEqual(['one']);
    expect(both.address).toBe(fake.address);
    await both.close();
  });

  it('refuses an answer larger than its bound', async () => {
    fake.set(PATH, ['x'.repeat(2_000)]);
    const narrow = new ConsulHttp({ addresses: [fake.address], maxBodyBytes: 1_000 });
    await expect(narrow.ask(PATH, {}, { deadlineMs: 2_000 })).rejects.toMatchObject({ failure: { kind: 'tooLarge' } });
    await narrow.close();
  });

  it('sends the token as a header', async () => {
    let token: unknown;
    const server: Server = createServer((request, response) => {
      token = request.headers['x-consul-token'];
      response.end('[]');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const client = new ConsulHttp({ addresses: [address], token: 'secret' });
    const answer = await client.ask(PATH, {}, { deadlineMs: 2_000 });
    expect(token).toBe('secret');
    expect(answer.index).toBeUndefined();
    await client.close();
    server.close();
  });
});
