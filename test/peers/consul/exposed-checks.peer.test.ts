import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { Server as GrpcServer, ServerCredentials } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { ask } from '../../mesh/support/exchange.ts';
import { freePort } from '../../mesh/support/free-ports.ts';
import { until } from '../../mesh/support/waiting.ts';
import { startConsul } from '../support/consul.ts';
import { describeWithPeer } from '../support/peer.ts';
import { ConsulMesh } from './consul-mesh.ts';

const WITHIN_MS = 40_000;
const PORTS = 8;

interface CheckRow {
  readonly Status: string;
  readonly Output: string;
  readonly ExposedPort: number;
}

describeWithPeer('consul', 'checks that a real agent asks through sidecars', () => {
  test('pass there, for the path they ask and no other, wherever Expose.Checks was written', async () => {
    const firstPort = await freeRange(PORTS);
    const range = `ports { expose_min_port = ${firstPort} expose_max_port = ${firstPort + PORTS} }`;
    await using consul = await startConsul({ hcl: [range] });
    await using mesh = await ConsulMesh.start({ consulUrls: [consul.httpAddress], agentUrl: consul.httpAddress });
    const checkOf = (id: string, holds: (row: CheckRow) => boolean): Promise<CheckRow> =>
      until(
        `check ${id}`,
        async () => {
          const answer = await fetch(`${consul.httpAddress}/v1/health/node/${consul.nodeName}?filter=CheckID==${id}`);
          const [row] = (await answer.json()) as readonly CheckRow[];
          if (row === undefined || !holds(row)) throw new Error(JSON.stringify(row));
          return row;
        },
        WITHIN_MS,
      );
    const register = async (name: string, port: number, check: object, proxy: object): Promise<void> => {
      const SidecarService = { Port: await freePort(), Address: '127.0.0.1', Proxy: proxy };
      const service = { Name: name, ID: `${name}-1`, Address: '127.0.0.1', Port: port };
      const Checks = [{ CheckID: name, Interval: '1s', ...check }];
      await mesh.put('/v1/agent/service/register', { ...service, Checks, Connect: { SidecarService } });
      await mesh.startSidecar(`${name}-1-sidecar-proxy`, 1);
    };

    const appPort = await mesh.startApp('shop', 'shop-1');
    await register('shop', appPort, { HTTP: `http://127.0.0.1:${appPort}/ready?full=1` }, { Expose: { Checks: true } });
    const shop = await checkOf('shop', ({ Status }) => Status === 'passing');
    expect(shop.Output).toContain(`:${shop.ExposedPort}/ready?full=1: 200 OK`);
    const exposed = { port: shop.ExposedPort };
    await until(
      'the path alone',
      async () => ((await ask({ ...exposed, path: '/other' })).status === 404 ? true : undefined),
      WITHIN_MS,
    );
    expect((await ask({ ...exposed, path: '/ready' })).origin).toMatchObject({ instance: 'shop-1', url: '/ready' });

    await mesh.put('/v1/config', {
      Kind: 'service-defaults',
      Name: 'rates',
      Protocol: 'grpc',
      Expose: { Checks: true },
    });
    const grpc = await startHealthService();
    try {
      await register('rates', grpc.port, { GRPC: `127.0.0.1:${grpc.port}` }, {});
      const rates = await checkOf('rates', ({ Status }) => Status === 'passing');
      expect(rates.Output).toContain(`:${rates.ExposedPort}: success`);
    } finally {
      grpc.server.forceShutdown();
    }
    expect((await mesh.overview()).problems).toEqual([]);
  });
});

/** grpc.health.v1.Health that says SERVING. */
async function startHealthService(): Promise<{ readonly server: GrpcServer; readonly port: number }> {
  const server = new GrpcServer();
  const serving = Buffer.from([0x08, 0x01]);
  const bytes = (message: Buffer): Buffer => message;
  server.addService(
    {
      check: {
        path: '/grpc.health.v1.Health/Check',
        requestStream: false,
        responseStream: false,
        ...{ requestSerialize: bytes, requestDeserialize: bytes, responseSerialize: bytes, responseDeserialize: bytes },
      },
    },
    { check: (_call: unknown, done: (error: null, message: Buffer) => void) => done(null, serving) },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return { server, port };
}

/** The first of so many ports in a row that are free at this moment. */
async function freeRange(count: number): Promise<number> {
  for (let tries = 0; tries < 20; tries += 1) {
    const first = await freePort();
    const held = await Promise.allSettled(Array.from({ length: count }, (_, at) => hold(first + at)));
    for (const each of held) if (each.status === 'fulfilled') each.value.close();
    if (held.every(({ status }) => status === 'fulfilled')) return first;
  }
  throw new Error(`no ${count} free ports in a row`);
}

async function hold(port: number): Promise<Server> {
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  expect((server.address() as AddressInfo).port).toBe(port);
  return server;
}
