import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { httpListener } from '../../../test/support/resources.ts';
import { inspectProxyHeader } from '../../transport-socket/transport-socket.ts';
import { DataPath, RawPeer, RawUpstream } from './data-path-fixture.ts';

let path: DataPath;
let upstream: RawUpstream;
const peers: RawPeer[] = [];
const GET = 'GET / HTTP/1.1\r\nhost: web\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

beforeEach(async () => {
  path = new DataPath();
  upstream = await RawUpstream.listen();
});

afterEach(() => {
  for (const peer of peers.splice(0)) peer.destroy();
  upstream.close();
  path.close();
});

async function connect(port: number): Promise<RawPeer> {
  const peer = await RawPeer.connect(port);
  peers.push(peer);
  return peer;
}

function proxied(version: 'v1' | 'v2'): void {
  path.addCluster('web', [upstream.port], { transportSocket: { kind: 'upstreamProxyProtocol', version } });
}

/** What the header at the front says, and what stands behind it. */
function opened(text: string): { addresses: unknown; rest: string } {
  const inspection = inspectProxyHeader(Buffer.from(text, 'latin1'));
  if (inspection.kind !== 'header') throw new Error(`no PROXY header but ${JSON.stringify(text)}`);
  return { addresses: inspection.addresses, rest: text.slice(inspection.length) };
}

function endsOf(client: RawPeer, port: number): unknown {
  return {
    sourceAddress: '127.0.0.1',
    sourcePort: client.socket.localPort,
    destinationAddress: '127.0.0.1',
    destinationPort: port,
  };
}

describe.each(['v1', 'v2'] as const)('a cluster behind PROXY protocol %s', (version) => {
  it('HTTP: each exchange has a connection of its own that begins with whose it is', async () => {
    proxied(version);
    const port = await path.serve();
    const clients = [await connect(port), await connect(port)];
    for (let round = 0; round < 4; round++) {
      const client = clients[round % 2];
      if (client === undefined) throw new Error('no client');
      client.send(GET);
      const host = await upstream.connection(round);
      const { addresses, rest } = opened(await host.receives('\r\n\r\n'));
      await host.receives('host: web');
      expect(addresses).toEqual(endsOf(client, port));
      expect(rest).toMatch(/^GET \/ HTTP\/1\.1\r\n/);
      host.send(OK);
      await client.until(() => client.received.split('ok').length === Math.floor(round / 2) + 2, 'the answer');
      await host.ends();
    }
    expect(path.counter('cluster', 'web', 'upstream_cx_total')).toBe(4);
    expect(path.counter('cluster', 'web', 'upstream_cx_max_requests')).toBe(0);
  });

  it('TCP: the host hears whose the connection is before the client says anything', async () => {
    proxied(version);
    const base = httpListener('listener');
    const config = {
      statPrefix: 'tcp',
      cluster: { kind: 'cluster', name: 'web' },
      idleTimeoutMs: 0,
      maxConnectAttempts: 1,
      maxDownstreamConnectionDurationMs: undefined,
    } as const;
    const filterChains = base.filterChains.map((chain) => ({
      ...chain,
      filters: [{ kind: 'tcpProxy', name: 'tcp', config } as const],
    }));
    await path.apply([{ ...base, filterChains }]);
    const port = path.listeners.get('listener')?.port ?? 0;
    const client = await connect(port);
    const host = await upstream.connection(0);
    await host.until(() => host.received !== '', 'the header');
    expect(opened(host.received)).toEqual({ addresses: endsOf(client, port), rest: '' });
    client.send('ping');
    await host.receives('ping');
    expect(opened(host.received).rest).toBe('ping');
    host.send('pong');
    await client.receives('pong');
  });

  it('what a PROXY header told on the way in is what is told on the way out', async () => {
    proxied(version);
    const port = await path.serve(
      {},
      { listenerFilters: [{ kind: 'proxyProtocol', allowRequestsWithoutProxyProtocol: false }] },
    );
    const client = await connect(port);
    client.send(`PROXY TCP4 192.0.2.1 198.51.100.1 1000 2000\r\n${GET}`);
    const host = await upstream.connection(0);
    expect(opened(await host.receives('host: web')).addresses).toEqual({
      sourceAddress: '192.0.2.1',
      sourcePort: 1000,
      destinationAddress: '198.51.100.1',
      destinationPort: 2000,
    });
  });
});
