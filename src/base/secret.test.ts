import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { Secret } from './secret.ts';

describe('secret', () => {
  const secret = new Secret('hush');

  it('gives its text to whoever asks for it by name', () => {
    expect(secret.reveal()).toBe('hush');
  });

  it.each([
    ['text', `${String(secret)}`],
    ['JSON', JSON.stringify({ secret })],
    ['inspection', inspect({ secret }, { showHidden: true, depth: 9 })],
    ['own fields', JSON.stringify(Object.getOwnPropertyNames(secret))],
  ])('does not appear as %s', (_how, printed) => {
    expect(printed).not.toContain('hush');
  });
});
