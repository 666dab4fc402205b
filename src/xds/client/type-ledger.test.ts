import { expect, test } from 'vitest';
import type { Decoded } from '../../resource/fault.ts';
import { CLUSTER_TYPE as CDS } from '../../resource/type-url.ts';
import { TypeLedger } from './type-ledger.ts';

/** Longer than anything lives here. */
const AGES_MS = 3_600_000;

function decode(_typeUrl: string, message: Buffer): Decoded<string> {
  if (message.includes('refused')) return { ok: false, faults: [{ field: 'a', message: 'is wrong' }] };
  return { ok: true, value: message.toString() };
}

/** What a ledger holds of clusters at a moment, without a wire. */
function ledgerAt(): { ledger: TypeLedger<string>; hear: (nowMs: number, ...resources: Heard[]) => readonly string[] } {
  const ledger = new TypeLedger<string>(CDS, decode);
  ledger.want('everything');
  const hear = (nowMs: number, ...heard: Heard[]): readonly string[] => {
    const resources = heard.map(({ body = '', version = '1', ...rest }) => ({
      ...rest,
      version,
      typeUrl: body === '' ? '' : CDS,
      message: Buffer.from(body),
    }));
    return ledger.apply({ typeUrl: CDS, version: '1', nonce: '1', removedNames: [], resources }, 'complete', nowMs)
      .faults;
  };
  return { ledger, hear };
}

interface Heard {
  readonly name: string;
  readonly version?: string;
  readonly body?: string;
  readonly ttlMs?: number;
}

test('a heartbeat renews, may change the time, and without one ends it', () => {
  const { ledger, hear } = ledgerAt();
  const names = ['renewed', 'longer', 'unlimited', 'lost'];
  hear(0, ...names.map((name) => ({ name, body: 'b', ttlMs: 100 })));
  hear(50, { name: 'renewed', ttlMs: 100 }, { name: 'longer', ttlMs: 500 }, { name: 'unlimited' });
  expect(ledger.held.size).toBe(4);
  expect(ledger.lapse(100).removed).toEqual(['lost']);
  expect(ledger.lapse(150).removed).toEqual(['renewed']);
  expect(ledger.lapse(550).removed).toEqual(['longer']);
  expect(ledger.lapse(AGES_MS).removed).toEqual([]);
  expect([...ledger.held.keys()]).toEqual(['unlimited']);
});

test('a whole resource begins its time anew, with the time it names', () => {
  const { ledger, hear } = ledgerAt();
  hear(0, { name: 'same', body: 'b', ttlMs: 100 }, { name: 'changed', body: 'b', ttlMs: 100 });
  hear(90, { name: 'same', body: 'b', ttlMs: 100 }, { name: 'changed', body: 'c', version: '2' });
  expect([ledger.lapse(189).removed, ledger.lapse(190).removed]).toEqual([[], ['same']]);
  expect(ledger.held.get('changed')?.ttlMs).toBeUndefined();
});

test('of another version a heartbeat says nothing, except of one that was refused in favour of what is held', () => {
  const { ledger, hear } = ledgerAt();
  hear(0, { name: 'other', body: 'b', ttlMs: 100 }, { name: 'kept', body: 'b', ttlMs: 100 });
  const [fault] = hear(
    10,
    { name: 'other', version: '1', ttlMs: 100 },
    { name: 'kept', version: '2', body: 'refused' },
  );
  expect(fault).toContain('kept: a: is wrong');
  hear(90, { name: 'other', version: '9', ttlMs: 100 }, { name: 'kept', version: '2', ttlMs: 100 });
  expect([ledger.lapse(110).removed, ledger.held.get('kept')?.version]).toEqual([['other'], '1']);
});

test('a negative time is refused by name, and what is held keeps the time it has', () => {
  const { ledger, hear } = ledgerAt();
  hear(0, { name: 'web', body: 'b', ttlMs: 100 });
  expect(hear(50, { name: 'web', ttlMs: -1 })).toEqual([expect.stringContaining('web: ttl: is negative')]);
  expect(hear(50, { name: 'web', body: 'b', ttlMs: -1 })).toEqual([expect.stringContaining('web: ttl: is negative')]);
  expect(ledger.lapse(100).removed).toEqual(['web']);
});

test('what is no longer wanted has no time that could end', () => {
  const { ledger, hear } = ledgerAt();
  hear(0, { name: 'web', body: 'b', ttlMs: 100 });
  ledger.want('nothing');
  ledger.want('everything');
  hear(99, { name: 'web', body: 'b' });
  expect(ledger.lapse(AGES_MS).removed).toEqual([]);
});
