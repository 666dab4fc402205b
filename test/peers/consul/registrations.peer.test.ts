import { once } from 'node:events';
import { statSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ask } from '../../mesh/support/exchange.ts';
import { freePort } from '../../mesh/support/free-ports.ts';
import { until } from '../../mesh/support/waiting.ts';
import { startConsul } from '../support/consul.ts';
import { describeWithPeer } from '../support/peer.ts';
import { ConsulMesh } from './consul-mesh.ts';

const READY_WITHIN_MS = 30_000;

describeWithPeer('consul', "registrations in a real Consul's words", () => {
  test('sockets with modes, an app on a socket, prepared queries, exposed paths and services without sidecars are served', async () => {
    await using consul = await startConsul();
    const controlArgs = ['--prepared-query-interval', '1s'];
    const urls = { consulUrls: [consul.httpAddress], agentUrl: consul.httpAddress };
    await using mesh = await ConsulMesh.start({ ...urls, controlArgs });
    const appSocket = join(mesh.directory, 'app.sock');
    const app = createServer((_, response) => response.end('from the socket')).listen(appSocket);
    await once(app, 'listening');
    try {
      const plainPort = await mesh.startApp('plain', 'plain-1');
      await mesh.put('/v1/agent/service/register', {
        Name: 'plain',
        ID: 'plain-1',
        Address: '127.0.0.1',
        Port: plainPort,
      });
      const created = await fetch(`${consul.httpAddress}/v1/query`, {
        method: 'POST',
        body: JSON.stringify({ Name: 'api-near', Service: { Service: 'api' } }),
      });
      expect(created.status).toBe(200);
      const [inbound, exposed, queried, plain] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
      const upstreamSocket = join(mesh.directory, 'api.sock');
      await mesh.put('/v1/agent/service/register', {
        Name: 'odd',
        ID: 'odd-1',
        Address: '127.0.0.1',
        SocketPath: appSocket,
        Connect: {
          SidecarService: {
            Port: inbound,
            Checks: [{ TCP: `127.0.0.1:${inbound}`, Interval: '1s' }],
            Proxy: {
              Mode: 'transparent',
              Expose: { Paths: [{ Path: '/health', LocalPathPort: plainPort, ListenerPort: exposed }] },
              Upstreams: [
                { DestinationName: 'api', LocalBindSocketPath: upstreamSocket, LocalBindSocketMode: '0600' },
                { DestinationType: 'prepared_query', DestinationName: 'api-near', LocalBindPort: queried },
                { DestinationName: 'plain', LocalBindPort: plain },
              ],
            },
          },
        },
      });
      // Two workers, of which one can bind a socket.
      await mesh.startSidecar('odd-1-sidecar-proxy', 2);
      const instanceAt = async (port: number): Promise<string> =>
        until(`an answer at ${port}`, async () => (await ask({ port })).origin.instance, READY_WITHIN_MS);
      expect(await instanceAt(queried)).toBe('api-1');
      expect(await instanceAt(plain)).toBe('plain-1');
      expect((await ask({ port: inbound })).text).toBe('from the socket');
      expect(await until('an answer over the socket', () => statusOver(upstreamSocket), READY_WITHIN_MS)).toBe(200);
      expect(statSync(upstreamSocket).mode & 0o777).toBe(0o600);
      expect((await ask({ port: exposed, path: '/health' })).origin).toMatchObject({
        instance: 'plain-1',
        url: '/health',
      });
      expect((await ask({ port: exposed, path: '/other' })).status).toBe(404);
      const { problems } = await mesh.overview();
      expect(problems.map(({ message }) => message)).toEqual([
        expect.stringContaining('"proxy.mode = transparent" is not obeyed'),
      ]);
    } finally {
      app.close();
    }
  });
});

function statusOver(socketPath: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, path: '/', signal: AbortSignal.timeout(10_000) }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}
