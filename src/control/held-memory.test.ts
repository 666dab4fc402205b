import { expect, test } from 'vitest';
import type { Recollection } from './consul/consul.ts';
import { HeldMemory } from './held-memory.ts';
import type { TranslatedUnit } from './translate/translate.ts';

const NODE = 'web-1-sidecar-proxy';
const unit: TranslatedUnit = { key: 'upstream api', resources: [], endpointGroups: [] };

/** What stands on disk for as long as a test goes. */
class Kept {
  readonly bodies = new Map<string, string>();

  recall(key: string): Recollection | undefined {
    const body = this.bodies.get(key);
    return body === undefined ? undefined : { body, savedAtWallMs: 1 };
  }

  keep(key: string, body: string): void {
    this.bodies.set(key, body);
  }

  forget(key: string): void {
    this.bodies.delete(key);
  }
}

const recalled = (kept: Kept): readonly string[] => [...new HeldMemory(NODE, kept, 'off').recalled.keys()];

function keptWithUnit(): Kept {
  const kept = new Kept();
  new HeldMemory(NODE, kept, 'off').keep([unit]);
  return kept;
}

test('a held part is there after a start, for its own proxy', () => {
  const kept = keptWithUnit();
  expect(recalled(kept)).toEqual(['upstream api']);
  expect(new HeldMemory('another', kept, 'off').recalled.size).toBe(0);
});

test('once nothing is held nothing is kept', () => {
  const kept = keptWithUnit();
  new HeldMemory(NODE, kept, 'off').keep([]);
  expect(kept.bodies.size).toBe(0);
});

test('what cannot be served is not recalled again', () => {
  const memory = new HeldMemory(NODE, keptWithUnit(), 'off');
  memory.giveUp();
  expect(memory.recalled.size).toBe(0);
});

test.each([
  ['of another format', (body: string) => body.replace('"format":2', '"format":1')],
  ['without a format', (body: string) => body.replace('"format":2,', '')],
  ['cut short', (body: string) => body.slice(0, -1)],
])('what was kept %s is nothing', (_what, damaged) => {
  const kept = keptWithUnit();
  for (const [key, body] of kept.bodies) kept.keep(key, damaged(body));
  expect(recalled(kept)).toEqual([]);
});
