import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Registry, startRegistry } from '../../../src/registry/registry.ts';
import { askCase } from './ask-agent.ts';
import { CORPUS } from './corpus.ts';
import { recordedAnswers } from './recorded-answers.ts';

describe('the embedded registry compiles chains as Consul does', () => {
  const recorded = recordedAnswers();
  let registry: Registry;
  beforeAll(async () => {
    registry = await startRegistry({ port: 0 });
  });
  afterAll(async () => {
    await registry.stop();
  });

  test('the recording is of this corpus', () => {
    expect([...recorded.keys()]).toEqual(CORPUS.map(({ name }) => name));
  });

  test.each(CORPUS)('$name', async (chainCase) => {
    expect(await askCase(registry.url, chainCase)).toEqual(recorded.get(chainCase.name));
  });
});
