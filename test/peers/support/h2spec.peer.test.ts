import { once } from 'node:events';
import { createServer as createHttp2Server } from 'node:http2';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { expect, test } from 'vitest';
import { runH2spec } from './h2spec.ts';
import { describeWithPeer } from './peer.ts';

describeWithPeer('h2spec', 'real h2spec', () => {
  test("counts the cases that Node's own server passes", async () => {
    const server = createHttp2Server((_request, response) => response.end('hello'));
    // h2spec breaks off on purpose; what the server makes of that is not this test's matter.
    server.on('sessionError', () => {});
    await withServer(server, async (port) => {
      const result = await runH2spec({ port, sections: ['generic/1', 'http2/6.5'] });
      expect(result.failures).toEqual([]);
      expect(result.passed).toBeGreaterThan(5);
    });
  });

  test('names the cases that a server fails which closes every connection', async () => {
    const server = createServer((socket) => socket.destroy());
    await withServer(server, async (port) => {
      const result = await runH2spec({ port, sections: ['generic/1'] });
      expect(result.failures.length).toBeGreaterThan(0);
      for (const failure of result.failures) expect(failure).toMatch(/^generic\/1: .+/);
    });
  });
});

async function withServer(server: Server, use: (port: number) => Promise<void>): Promise<void> {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  try {
    await use((server.address() as AddressInfo).port);
  } finally {
    // Node's HTTP/2 server does not return itself from `close`.
    server.close();
    await once(server, 'close');
  }
}
