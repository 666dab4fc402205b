import { once } from 'node:events';
import net from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { originalDestinationOf } from '../../../src/transport-socket/transport-socket.ts';
import { describeInNamespace, NetworkNamespace } from '../support/network-namespace.ts';

const PORT = 15_009;

describeInNamespace('the original destination of an accepted socket', () => {
  let network: NetworkNamespace | undefined;

  beforeAll(() => {
    network = new NetworkNamespace();
    network.nft(`table inet t {
      chain output { type nat hook output priority -100; tcp dport 80 redirect to :${PORT}; }
    }`);
  });

  afterAll(() => network?.[Symbol.dispose]());

  test.each([
    ['127.0.0.1', '240.0.0.1', 80, '240.0.0.1'],
    ['0.0.0.0', '240.0.0.1', 80, '240.0.0.1'],
    // A socket of IPv6 that IPv4 may come in at.
    ['::', '240.0.0.1', 80, '240.0.0.1'],
    ['::', '2001:db8:0:0::1', 80, '2001:db8::1'],
    ['::1', '2001:db8::1', 80, '2001:db8::1'],
    // Nobody redirected these.
    ['127.0.0.1', '127.0.0.1', PORT, undefined],
    ['::', '127.0.0.1', PORT, undefined],
    ['::', '::1', PORT, undefined],
  ])('listening at %s, called as %s port %d: %s', async (listensAt, host, port, expected) => {
    const server = net.createServer({ pauseOnConnect: true });
    server.listen(PORT, listensAt);
    await once(server, 'listening');
    const accepted = once(server, 'connection');
    const client = net.connect(port, host);
    try {
      const [socket] = (await accepted) as [net.Socket];
      const destination = expected === undefined ? undefined : { kind: 'ip', host: expected, port };
      expect(originalDestinationOf(socket)).toEqual(destination);
      socket.destroy();
      // Of a socket that is closed nothing is asked.
      expect(originalDestinationOf(socket)).toBeUndefined();
    } finally {
      client.destroy();
      server.close();
      await once(server, 'close');
    }
  });
});
