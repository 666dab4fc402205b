import { expect, it } from 'vitest';
import { seededRandom } from '../../base/random.ts';
import { RequestIds } from './request-id.ts';

it('is a version 4 UUID, another one each time', () => {
  const requestIds = new RequestIds(seededRandom(1));
  const ids = new Set(Array.from({ length: 1_000 }, () => requestIds.next()));
  expect(ids.size).toBe(1_000);
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

it('comes as the line it will be in a head, whichever was made last', () => {
  const requestIds = new RequestIds(seededRandom(1));
  for (let index = 0; index < 200; index++) {
    const id = requestIds.next();
    expect(requestIds.line).toBe(`x-request-id: ${id}\r\n`);
  }
});
