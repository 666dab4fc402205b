import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { route, routeAction, routeConfiguration, virtualHost } from '../../../test/support/resources.ts';
import type { HttpConnectionManager } from '../../resource/http-connection-manager.ts';
import type { RouteAction } from '../../resource/route-configuration.ts';
import { DataPath, RawPeer, RawUpstream } from './data-path-fixture.ts';

let path: DataPath;
let upstream: RawUpstream;
const peers: RawPeer[] = [];
const CALL = 'POST /test.Echo/Unary HTTP/1.1\r\nhost: web\r\ncontent-type: application/grpc\r\ncontent-length: 0\r\n';

function managerWith(action: Partial<RouteAction>): Partial<HttpConnectionManager> {
  const host = virtualHost({ routes: [route({ action: routeAction(action) })] });
  return { routes: { kind: 'inline', routeConfiguration: routeConfiguration({ virtualHosts: [host] }) } };
}

async function call(fields: string, manager: Partial<HttpConnectionManager> = {}): Promise<[RawPeer, RawPeer]> {
  const client = await RawPeer.connect(await path.serve(manager));
  peers.push(client);
  client.send(`${CALL}${fields}\r\n`);
  const host = await upstream.connection(0);
  await host.receives('\r\n\r\n');
  return [client, host];
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

describe('the deadline of a call', () => {
  it('is kept on the way and enforced: its caller hears DEADLINE_EXCEEDED, the upstream is let go', async () => {
    const [client, host] = await call('grpc-timeout: 900m\r\n');
    expect(host.received).toContain('grpc-timeout: 900m\r\n');
    const answer = await client.receives('\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(answer).toContain('grpc-status: 4\r\ngrpc-message: deadline exceeded\r\n');
    await host.ends();
    expect(await path.recordsReach(1)).toMatchObject({
      grpcStatus: 4,
      responseFlags: 'DT',
      responseCodeDetails: 'grpc_timeout',
    });
    expect(path.counter('http', 'ingress', 'downstream_rq_grpc_deadline_exceeded')).toBe(1);
    expect(path.counter('cluster', 'web', 'upstream_rq_cancelled')).toBe(1);
  });

  it('ends an answer that has begun with the same status, in its trailers', async () => {
    const [client, host] = await call('grpc-timeout: 900m\r\n');
    host.send('HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n');
    const answer = await client.receives('grpc-message: deadline exceeded\r\n\r\n');
    expect(answer).toContain('3\r\nabc\r\n0\r\ngrpc-status: 4\r\n');
    await host.ends();
    expect((await path.recordsReach(1)).grpcStatus).toBe(4);
  });

  it('is bounded by the route, and may be shortened by it', async () => {
    const [client] = await call('grpc-timeout: 99999999H\r\n', managerWith({ grpcTimeoutHeaderMaxMs: 800 }));
    expect(await client.receives('\r\n\r\n')).toContain('grpc-status: 4\r\n');
    upstream.connections.length = 0;
    const [shorter] = await call(
      'grpc-timeout: 3600S\r\n',
      managerWith({ grpcTimeoutHeaderMaxMs: 3_600_000, grpcTimeoutHeaderOffsetMs: 3_599_200 }),
    );
    expect(await shorter.receives('\r\n\r\n')).toContain('grpc-status: 4\r\n');
  });

  it.each(['grpc-timeout: 123456789n\r\n', 'grpc-timeout: 1n\r\ngrpc-timeout: 2n\r\n', 'grpc-timeout: -1n\r\n'])(
    'that is none changes nothing: %j',
    async (fields) => {
      const [client, host] = await call(fields);
      host.send('HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\ngrpc-status: 5\r\ncontent-length: 0\r\n\r\n');
      expect(await client.receives('\r\n\r\n')).toContain('grpc-status: 5\r\n');
      expect((await path.recordsReach(1)).grpcStatus).toBe(5);
    },
  );
});

describe('answers that we make', () => {
  const unanswered = async (manager: Partial<HttpConnectionManager>, fields = ''): Promise<string> => {
    const client = await RawPeer.connect(await path.serve(manager));
    peers.push(client);
    client.send(`${CALL}${fields}\r\n`);
    return client.receives('\r\n\r\n');
  };
  const noRoutes = {
    routes: { kind: 'inline', routeConfiguration: routeConfiguration({ virtualHosts: [] }) },
  } as const;

  it('carry a gRPC status by Envoy’s table, and their text as it is', async () => {
    expect(await unanswered(noRoutes)).toContain('200 OK\r\ncontent-type: application/grpc\r\ngrpc-status: 12\r\n');
    path.assign('web', []);
    expect(await unanswered({})).toContain('grpc-status: 14\r\ngrpc-message: no healthy upstream\r\n');
    expect((await path.recordsReach(2)).grpcStatus).toBe(14);
  });

  it('a direct response is a gRPC answer too', async () => {
    const host = virtualHost({
      routes: [route({ action: { kind: 'directResponse', status: 200, body: 'nothing here: 5 %\n' } })],
    });
    const routes = { kind: 'inline', routeConfiguration: routeConfiguration({ virtualHosts: [host] }) } as const;
    expect(await unanswered({ routes })).toContain('grpc-status: 2\r\ngrpc-message: nothing here: 5 %25%0A\r\n');
  });

  it('the limit of a stream’s duration is a deadline', async () => {
    const [client] = await call('', { maxStreamDurationMs: 800 });
    expect(await client.receives('\r\n\r\n')).toContain('grpc-status: 4\r\n');
  });

  it.each(['application/grpc-web', 'application/json'])('%s is no call', async (contentType) => {
    const client = await RawPeer.connect(await path.serve(noRoutes));
    peers.push(client);
    client.send(CALL.replace('application/grpc', contentType).concat('\r\n'));
    expect(await client.receives('\r\n\r\n')).toMatch(/^HTTP\/1\.1 404 /);
    expect((await path.recordsReach(1)).grpcStatus).toBe(-2);
  });
});
