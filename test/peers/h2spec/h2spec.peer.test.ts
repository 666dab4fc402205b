import { expect, test } from 'vitest';
import { startEchoServer } from '../../conformance/http2/echo-server.ts';
import { runH2spec } from '../support/h2spec.ts';
import { describeWithPeer } from '../support/peer.ts';

/** What h2spec 2.2.1 holds, strict rules included. */
const CASES = 146;
/** The command line's flag stands where its sections do. */
const STRICT = ['--strict', 'generic', 'http2', 'hpack'];

describeWithPeer('h2spec', 'our HTTP/2 server under h2spec', () => {
  test('passes every case, in plain text', async () => {
    const server = await startEchoServer();
    try {
      const result = await runH2spec({ port: server.port, sections: STRICT });
      expect(result.failures).toEqual([]);
      expect(result.skipped).toBe(0);
      expect(result.passed).toBe(CASES);
    } finally {
      await server.close();
    }
  });
});
