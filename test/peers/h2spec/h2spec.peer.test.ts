import { describe, expect, test } from 'vitest';
import { startEchoServer } from '../../conformance/http2/echo-server.ts';
import { runH2spec } from '../support/h2spec.ts';
import { describeWithPeer } from '../support/peer.ts';
import { startPlainSidecar } from './plain-sidecar.ts';

/** What h2spec 2.2.1 holds, strict rules included. */
const CASES = 146;
/** The command line's flag stands where its sections do. */
const STRICT = ['--strict', 'generic', 'http2', 'hpack'];
/** A case that passes by luck fails sooner or later. */
const RUNS = 20;
const ALL_RUNS_WITHIN_MS = 300_000;

async function passesEveryCase(port: number, runs: number, tls = false): Promise<void> {
  for (let run = 1; run <= runs; run += 1) {
    const result = await runH2spec({ port, tls, sections: STRICT });
    expect(result.failures, `run ${run} of ${runs}`).toEqual([]);
    expect(result.skipped).toBe(0);
    expect(result.passed).toBe(CASES);
  }
}

const LISTENERS = [
  ['with codec_type HTTP2', 'HTTP2'],
  ['with codec_type AUTO', 'AUTO'],
  ['over TLS, by ALPN', 'TLS'],
] as const;

describeWithPeer('h2spec', 'under h2spec', () => {
  test(`our codec passes every case, ${RUNS} times`, { timeout: ALL_RUNS_WITHIN_MS }, async () => {
    const server = await startEchoServer();
    try {
      await passesEveryCase(server.port, RUNS);
    } finally {
      await server.close();
    }
  });

  describe(`a sidecar's listener passes every case, ${RUNS} times`, () => {
    test.each(LISTENERS)('%s', { timeout: ALL_RUNS_WITHIN_MS }, async (_how, name) => {
      await using sidecar = await startPlainSidecar();
      await passesEveryCase(sidecar.ports[name], RUNS, name === 'TLS');
    });
  });
});
