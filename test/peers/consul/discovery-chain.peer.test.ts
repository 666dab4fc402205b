import { afterAll, beforeAll, expect, test } from 'vitest';
import { askCase, type CaseAnswers } from '../../conformance/discovery-chain/ask-agent.ts';
import { CORPUS } from '../../conformance/discovery-chain/corpus.ts';
import { recordAnswers, recordedAnswers } from '../../conformance/discovery-chain/recorded-answers.ts';
import { type ConsulAgent, startConsul } from '../support/consul.ts';
import { describeWithPeer } from '../support/peer.ts';

/**
 * The corpus asked of a real Consul. What it answers is what `npm test` compares the embedded registry and the control server's
 * translation with; `WEFT_RECORD_ANSWERS=1` writes it down anew.
 */
const RECORDING = process.env['WEFT_RECORD_ANSWERS'] === '1';

describeWithPeer('consul', 'a real Consul compiles chains as recorded', () => {
  const answers: CaseAnswers[] = [];
  let recorded: ReadonlyMap<string, CaseAnswers> = new Map();
  let consul: ConsulAgent;
  beforeAll(async () => {
    if (!RECORDING) recorded = recordedAnswers();
    consul = await startConsul();
  });
  afterAll(async () => {
    await consul?.stop();
    if (RECORDING && answers.length === CORPUS.length) recordAnswers(answers);
  });

  test.each(CORPUS)('$name', async (chainCase) => {
    const answer = await askCase(consul.httpAddress, chainCase);
    answers.push(answer);
    if (!RECORDING) expect(answer).toEqual(recorded.get(chainCase.name));
  });
});
