import { once } from 'node:events';
import http from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DataPath, RawPeer, RawUpstream } from './data-path-fixture.ts';

let path: DataPath;
let upstream: RawUpstream;
const peers: RawPeer[] = [];

async function connect(port: number): Promise<RawPeer> {
  const peer = await RawPeer.connect(port);
  peers.push(peer);
  return peer;
}

beforeEach(async () => {
  path = new DataPath();
  upstream = await RawUpstream.listen();
  path.addCluster('web', [upstream.port]);
});

afterEach(() => {
  for (const peer of peers.splice(0)) peer.destroy();
  upstream.close();
  path.close();
});

describe('one request', () => {
  it('goes to a node:http server and comes back, many times over one connection', async () => {
    const server = http.createServer((request, response) => {
      let body = '';
      request.on('data', (bytes: Buffer) => {
        body += bytes.toString();
      });
      request.on('end', () => response.end(`${request.method} ${request.url} ${body}`));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    path.addCluster('web', [typeof address === 'object' && address !== null ? address.port : 0]);
    const port = await path.serve();
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    for (let index = 0; index < 20; index++) {
      const request = http.request({ port, agent, method: 'POST', path: `/${index}` });
      request.end(`body ${index}`);
      const [response] = (await once(request, 'response')) as [http.IncomingMessage];
      let text = '';
      for await (const bytes of response) text += String(bytes);
      expect(text).toBe(`POST /${index} body ${index}`);
      expect(response.headers.server).toBe('weft');
    }
    agent.destroy();
    server.close();
    server.closeAllConnections();
    expect(path.counter('cluster', 'web', 'upstream_cx_total')).toBe(1);
    expect(path.counter('cluster', 'web', 'upstream_rq_2xx')).toBe(20);
    expect(path.counter('http', 'ingress', 'downstream_cx_total')).toBe(1);
    expect(path.records.every((record) => record.status === 200 && record.responseFlags === '')).toBe(true);
  });
});
