import { expect, test } from 'vitest';
import { Admission, type Ticket } from './admission.ts';

test('so many are admitted at once, and the others in order of arrival as places become free', () => {
  const admission = new Admission(2);
  const admitted: string[] = [];
  const tickets = ['a', 'b', 'c', 'd'].map((name) => admission.enter(() => admitted.push(name)));
  expect(admitted).toEqual(['a', 'b']);
  expect(admission.waiting).toBe(2);
  tickets[0]?.release();
  tickets[0]?.release();
  expect(admitted).toEqual(['a', 'b', 'c']);
});

test('one that leaves the queue is never admitted', () => {
  const admission = new Admission(1);
  const first = admission.enter(() => {});
  const gone = admission.enter(() => {
    throw new Error('it had gone');
  });
  gone.release();
  first.release();
  expect([admission.admitted, admission.waiting]).toEqual([0, 0]);
});

test('ten thousand that are refused the moment they are admitted neither nest nor take a place', () => {
  const admission = new Admission(1);
  const first = admission.enter(() => {});
  const tickets: Ticket[] = [];
  for (let index = 0; index < 10_000; index += 1) {
    tickets.push(admission.enter(() => tickets[index]?.release()));
  }
  first.release();
  expect([admission.admitted, admission.waiting]).toEqual([0, 0]);
});
