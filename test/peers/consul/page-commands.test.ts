import { expect, test } from 'vitest';
import { pageCommands, shownPattern, withValues } from './page-commands.ts';

const fence = (info: string, text: string): string => `\`\`\`${info}\n${text}\n\`\`\`\n`;

test('commands come in order with their section and what is shown beneath them', () => {
  const page = `# Title\n${fence('text', 'a drawing')}## One\n${fence('sh', 'ls\nls')}${fence('text', 'a\n\nb')}## Two\n${fence('sh own-terminal', 'run')}`;
  expect(pageCommands(page)).toMatchObject([
    { kind: 'run', section: 'One', script: 'ls\nls', shown: ['a', 'b'] },
    { kind: 'own-terminal', section: 'Two', script: 'run', shown: [] },
  ]);
});

test('a fence that nobody would run is refused, so is one that never closes', () => {
  expect(() => pageCommands(fence('bash', 'ls'))).toThrow('line 1: a fence of "bash"');
  expect(() => pageCommands('## A\n```sh\nls')).toThrow('line 2: a fence that never closes');
  expect(() => pageCommands(`${fence('sh', 'ls')}${fence('text', 'a')}${fence('text', 'b')}`)).toThrow('two outputs');
});

test('shown lines match with … for anything, all else literally', () => {
  expect('port 8 (tcp)').toMatch(shownPattern('port … (tcp)'));
  expect('port 8 tcp').not.toMatch(shownPattern('port … (tcp)'));
});

test('values replace those of the page, and neither side may have more names', () => {
  expect(withValues('export A=1\nexport B=2', { A: 'x', B: 'y' })).toBe('export A=x\nexport B=y');
  expect(() => withValues('export A=1', {})).toThrow('no single value for A');
  expect(() => withValues('export A=1', { A: 'x', B: 'y' })).toThrow('no longer sets B');
});
