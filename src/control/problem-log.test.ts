import { expect, test } from 'vitest';
import type { Logger } from '../telemetry/log/log.ts';
import { ProblemLog } from './problem-log.ts';
import { errorAt, warningAt } from './translate/translate.ts';

test('each problem is told once when it appears and once when the last proxy that has it has it no longer', () => {
  const lines: string[] = [];
  const line = (level: string) => (text: string) => void lines.push(`${level} ${text}`);
  const log = { error: line('error'), warn: line('warn'), info: line('info') } as unknown as Logger;
  const problems = new ProblemLog(log);
  const circle = errorAt('service-splitter/api (ModifyIndex 7)', 'circle');
  const key = warningAt('registration web', 'unknown key');
  problems.told('web', [circle, key]);
  problems.told('cart', [circle]);
  problems.told('web', [circle, key]);
  expect(lines.splice(0)).toEqual([
    'error service-splitter/api (ModifyIndex 7): circle',
    'warn registration web: unknown key',
  ]);
  problems.told('web', []);
  expect(lines.splice(0)).toEqual(['info no longer so: registration web: unknown key']);
  problems.told('cart', []);
  expect(lines).toEqual(['info no longer so: service-splitter/api (ModifyIndex 7): circle']);
});
