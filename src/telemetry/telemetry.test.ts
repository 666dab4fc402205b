import { expect, it } from 'vitest';
import { allOf, StreamRecord } from './telemetry.ts';

it('tells every observer of a stream, in order', () => {
  const told: string[] = [];
  const observer = (name: string) => ({ streamEnded: (record: StreamRecord) => told.push(`${name} ${record.status}`) });
  const record = new StreamRecord();
  record.status = 200;
  allOf([observer('a'), observer('b')]).streamEnded(record);
  allOf([observer('c')]).streamEnded(record);
  allOf([]).streamEnded(record);
  expect(told).toEqual(['a 200', 'b 200', 'c 200']);
});
