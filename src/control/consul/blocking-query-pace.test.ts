import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import { BlockingQuery, type BlockingQueryOptions, DEFAULT_TIMINGS } from './blocking-query.ts';
import { ConsulError } from './consul-error.ts';
import type { ConsulAnswer } from './consul-http.ts';

/** The clock that the fake timers move. */
const clock: Clock = { nowMs: () => Date.now(), wallMs: () => Date.now() };
/** The jitter is always half of what it may be. */
const half: Random = { next: () => 0.5, uint32: () => 2 ** 31 };

/** One answer, or refusal, of a Consul that never holds a question. */
type Reply = ConsulAnswer | Error;

function rows(text: string, index?: bigint): ConsulAnswer {
  return {
    index,
    bodyHash: text,
    lastContactMs: 0,
    isFilteredByAcls: false,
    isStreamed: false,
    isCutShort: true,
    defaultPolicy: '',
    json: () => [text],
  };
}

const unreachable = (): Error => new ConsulError({ kind: 'unreachable' }, 'connection refused');
const busy = (retryAfterMs: number): Error =>
  new ConsulError({ kind: 'status', status: 429, retryAfterMs }, 'HTTP 429');

let asksAtMs: number[];
let query: BlockingQuery<readonly unknown[]>;
let parsedWith: (readonly unknown[] | undefined)[];

/** Starts a watch whose n-th question gets the n-th reply. */
function watch(
  replyTo: (asked: number) => Reply,
  options: Partial<BlockingQueryOptions<readonly unknown[]>> = {},
): void {
  const startMs = Date.now();
  query = new BlockingQuery<readonly unknown[]>({
    consul: {
      ask: async () => {
        asksAtMs.push(Date.now() - startMs);
        const reply = replyTo(asksAtMs.length);
        if (reply instanceof Error) throw reply;
        return reply;
      },
    },
    path: '/v1/health/service/web',
    query: {},
    parse: (body, previous) => {
      parsedWith.push(previous);
      return body as readonly unknown[];
    },
    clock,
    random: half,
    onState: () => undefined,
    ...options,
  });
  void query.start();
}

const gapsMs = (): number[] => asksAtMs.slice(1).map((atMs, index) => atMs - (asksAtMs[index] ?? 0));

beforeEach(() => {
  vi.useFakeTimers();
  asksAtMs = [];
  parsedWith = [];
});

afterEach(() => {
  query.stop();
  vi.useRealTimers();
});

describe('the pace of a watch', () => {
  it('backs off from errors, twice as far each time, up to its bound', async () => {
    watch(unreachable);
    await vi.advanceTimersByTimeAsync(20_000);
    const { backoffBaseMs, backoffCapMs } = DEFAULT_TIMINGS;
    const jittered = [1, 2, 4, 8, 16].map((factor) => (factor * backoffBaseMs) / 2);
    expect(gapsMs().slice(0, 5)).toEqual(jittered);
    expect(
      gapsMs()
        .slice(5)
        .every((gapMs) => gapMs === backoffCapMs / 2),
    ).toBe(true);
  });

  it('believes a Retry-After up to half a minute', async () => {
    watch((asked) => (asked === 1 ? busy(3_600_000) : busy(1_000)));
    await vi.advanceTimersByTimeAsync(34_000);
    expect(gapsMs().slice(0, 2)).toEqual([30_100, 1_200]);
  });

  it('polls a path that does not block at the pace it was given', async () => {
    watch(() => rows('one'), { pollMs: 30_000 });
    await vi.advanceTimersByTimeAsync(91_000);
    expect(asksAtMs).toEqual([0, 30_000, 60_000, 90_000]);
  });

  it('asks ever more rarely where it is woken over and over for nothing', async () => {
    watch((asked) => rows('one', BigInt(asked)));
    await vi.advanceTimersByTimeAsync(120_000);
    expect(asksAtMs.length).toBeLessThan(30);
    expect(gapsMs().at(-1)).toBeGreaterThan(10_000);
  });

  it('slows for news, too, but to two a second at most', async () => {
    watch((asked) => rows(`news ${asked}`, BigInt(asked)));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(gapsMs().slice(-10)).toEqual(Array.from({ length: 10 }, () => 500));
  });
});

describe('how old a value is', () => {
  it('counts from the last answer, also from one that said the same', async () => {
    const startMs = Date.now();
    watch((asked) => (asked <= 2 ? rows('one') : unreachable()), { pollMs: 10_000 });
    await vi.advanceTimersByTimeAsync(1);
    expect(query.state).toMatchObject({ kind: 'current', lastSuccessWallMs: startMs });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(query.state).toMatchObject({ kind: 'current', lastSuccessWallMs: startMs + 10_000 });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(query.state).toMatchObject({ kind: 'stale', value: ['one'], lastSuccessWallMs: startMs + 10_000 });
  });

  it('is no hindrance: what reads the next answer is given the value so far', async () => {
    watch((asked) => (asked === 2 ? unreachable() : rows(`answer ${asked}`)), { pollMs: 1_000 });
    await vi.advanceTimersByTimeAsync(2_000);
    expect(parsedWith).toEqual([undefined, ['answer 1']]);
  });
});
