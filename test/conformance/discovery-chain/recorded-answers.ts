import { readFileSync, writeFileSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { CaseAnswers } from './ask-agent.ts';

/** What a real Consul answered to the corpus; the peer test compares it with one that runs, and can record it anew. */
const FILE = new URL('recorded-answers.json.gz', import.meta.url);

export function recordedAnswers(): ReadonlyMap<string, CaseAnswers> {
  const answers = JSON.parse(gunzipSync(readFileSync(FILE)).toString('utf8')) as readonly CaseAnswers[];
  return new Map(answers.map((answer) => [answer.name, answer]));
}

export function recordAnswers(answers: readonly CaseAnswers[]): void {
  writeFileSync(FILE, gzipSync(JSON.stringify(answers), { level: 9 }));
}
