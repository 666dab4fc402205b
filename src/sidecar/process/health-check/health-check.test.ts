import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer as createHttp2Server, type ServerHttp2Stream } from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { spiffe, TestAuthority } from '../../../../test/support/certificates.ts';
import { assignment, cluster, endpoint } from '../../../../test/support/resources.ts';
import { systemClock } from '../../../base/clock.ts';
import { seededRandom } from '../../../base/random.ts';
import type { HealthCheck } from '../../../resource/cluster.ts';
import { EMPTY_TLS_CONTEXT } from '../../../resource/transport-socket.ts';
import { Logs } from '../../../telemetry/log/log.ts';
import { MetricsRegistry } from '../../../telemetry/metrics/metrics.ts';
import { TlsContext, TlsCounters, TlsMaterials } from '../../../transport-socket/transport-socket.ts';
import type { PoolTls } from '../../pool/pool.ts';
import { HealthChecker } from './health-checker.ts';
import { probe } from './probe.ts';

const servers: { close(): unknown }[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function listening(server: Server | ReturnType<typeof createHttp2Server>): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

const check = (checker: HealthCheck['checker'], timeoutMs = 2000): HealthCheck => ({
  timeoutMs,
  intervalMs: 5,
  unhealthyThreshold: 2,
  healthyThreshold: 2,
  checker,
});
const http = { kind: 'http', path: '/health', host: '', expectedStatuses: [[200, 201]] } as const;
const at = (port: number) => ({ kind: 'ip', host: '127.0.0.1', port }) as const;
const httpServer = (listener: RequestListener): Promise<number> => listening(createHttpServer(listener));

describe('probes', () => {
  it('tcp: passes where something accepts, fails where nothing does', async () => {
    const server = createServer((socket) => socket.destroy());
    const port = await listening(server);
    await expect(probe(at(port), check({ kind: 'tcp' }))).resolves.toBeUndefined();
    server.close();
    await expect(probe(at(port), check({ kind: 'tcp' }))).rejects.toThrow('ECONNREFUSED');
  });

  it('http: compares the status and asks for the configured path', async () => {
    const port = await httpServer((request, response) =>
      response.writeHead(request.url === '/health' ? 200 : 404).end(),
    );
    await expect(probe(at(port), check(http))).resolves.toBeUndefined();
    await expect(probe(at(port), check({ ...http, path: '/other' }))).rejects.toThrow('answered 404');
  });

  it('http: gives up on a host that never answers', async () => {
    const port = await httpServer(() => {});
    await expect(probe(at(port), check(http, 20))).rejects.toThrow('in time');
  });

  it('over TLS: only of a host that is who it should be, and nothing is asked of another', async () => {
    const authority = await TestAuthority.create();
    const pair = await authority.issue({ names: [spiffe('api')] });
    const asked: string[] = [];
    const server = createHttpsServer({ cert: pair.certificatePem, key: pair.keyPem }, (request, response) => {
      asked.push(request.url ?? '');
      response.end();
    });
    const port = await listening(server);
    const tlsOf = (name: string): PoolTls => {
      const matcher = { kind: 'exact', value: `spiffe://mesh.test/${name}`, ignoreCase: false } as const;
      const trustedCa = { kind: 'inline', text: authority.certificatePem } as const;
      const validation = { trustedCa, matchSubjectAltNames: [{ sanType: 'uri', matcher } as const] };
      const common = { ...EMPTY_TLS_CONTEXT, validation };
      const metrics = new MetricsRegistry({ announce: () => undefined });
      return {
        context: new TlsContext({ kind: 'upstreamTls', common, sni: '' }, new TlsMaterials()),
        counters: new TlsCounters(metrics, { kind: 'cluster', name: 'c' }),
        sni: '',
        alpn: undefined,
      };
    };
    await expect(probe(at(port), check(http), tlsOf('api'))).resolves.toBeUndefined();
    await expect(probe(at(port), check({ kind: 'tcp' }), tlsOf('api'))).resolves.toBeUndefined();
    await expect(probe(at(port), check(http), tlsOf('db'))).rejects.toThrow('none of the peer');
    expect(asked).toEqual(['/health']);
  });

  it('grpc: passes on SERVING alone', async () => {
    let answer = 1;
    const server = createHttp2Server();
    server.on('stream', (stream: ServerHttp2Stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(Buffer.from([0, 0, 0, 0, 2, 0x08, answer]));
    });
    const port = await listening(server);
    await expect(probe(at(port), check({ kind: 'grpc', serviceName: 'web' }))).resolves.toBeUndefined();
    answer = 2;
    await expect(probe(at(port), check({ kind: 'grpc', serviceName: '' }))).rejects.toThrow('SERVING');
  });
});

describe('health checker', () => {
  function run(answers: readonly boolean[]): Promise<boolean[]> {
    return new Promise((resolve) => {
      const told: boolean[] = [];
      let asked = 0;
      const checker = new HealthChecker({
        clock: systemClock,
        random: seededRandom(1),
        log: new Logs({ level: 'silent', format: 'json' }).root,
        onHealth: (_, __, failed) => told.push(failed),
        probe: async () => {
          const answer = answers[asked++];
          if (answer === undefined) {
            const result = [...told];
            checker.stop();
            resolve(result);
          }
          if (answer !== true) throw new Error('is down');
        },
      });
      const config = cluster('web', { healthChecks: [check({ kind: 'tcp' })] });
      checker.setClusters(new Map([['web', config]]), new Map([['web', assignment('web', [endpoint(1)])]]));
    });
  }

  it('a new host is failed until its first check passes', async () => {
    expect(await run([true])).toEqual([true, false]);
    expect(await run([false])).toEqual([true]);
  });

  it('turns only after as many answers in a row as the threshold says', async () => {
    expect(await run([true, false, true, false, false])).toEqual([true, false, true]);
    expect(await run([true, false, false, true, false, true, true])).toEqual([true, false, true, false]);
  });

  it('asks an endpoint where and by which name it says, or not at all', () => {
    const asked: unknown[] = [];
    const checker = new HealthChecker({
      clock: systemClock,
      random: seededRandom(1),
      log: new Logs({ level: 'silent', format: 'json' }).root,
      onHealth: () => undefined,
      probe: (address, { checker: by }) => {
        asked.push([address.kind === 'ip' && address.port, by.kind === 'http' && by.host]);
        return new Promise(() => {});
      },
    });
    const hosts = assignment('web', [
      endpoint(1),
      endpoint(2, { healthCheck: { kind: 'elsewhere', address: at(9), hostname: 'own.example' } }),
      endpoint(3, { healthCheck: { kind: 'unchecked' } }),
    ]);
    const config = cluster('web', { healthChecks: [check({ ...http, host: 'all.example' })] });
    checker.setClusters(new Map([['web', config]]), new Map([['web', hosts]]));
    checker.stop();
    expect(asked).toEqual([
      [1, 'all.example'],
      [9, 'own.example'],
    ]);
  });

  it('a host that is no longer checked is not left failed', () => {
    const told: boolean[] = [];
    const checker = new HealthChecker({
      clock: systemClock,
      random: seededRandom(1),
      log: new Logs({ level: 'silent', format: 'json' }).root,
      onHealth: (_, __, failed) => told.push(failed),
      probe: () => new Promise(() => {}),
    });
    const config = cluster('web', { healthChecks: [check({ kind: 'tcp' })] });
    const hosts = new Map([['web', assignment('web', [endpoint(1)])]]);
    checker.setClusters(new Map([['web', config]]), hosts);
    checker.setClusters(new Map([['web', cluster('web')]]), hosts);
    expect(told).toEqual([true, false]);
  });
});
