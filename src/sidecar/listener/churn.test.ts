import { createHash } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import {
  httpListener,
  retryPolicy,
  route,
  routeAction,
  routeConfiguration,
  virtualHost,
} from '../../../test/support/resources.ts';
import { type Random, seededRandom } from '../../base/random.ts';
import type { Listener } from '../../resource/listener.ts';
import { DataPath } from './data-path-fixture.ts';

/**
 * Clients that pipeline, stop reading, and leave in the middle; upstreams that come and go, hang up and answer early;
 * configurations that change meanwhile. Whatever happens, an answer belongs to its request, and nothing stays behind.
 */
const CLIENTS = 24;
const REQUESTS_PER_CLIENT = 40;

let path: DataPath | undefined;
afterEach(() => path?.close());

function bodyOf(nonce: string, size: number): Buffer {
  return Buffer.alloc(size, createHash('sha256').update(nonce).digest('hex'));
}

async function listen(random: Random): Promise<http.Server> {
  const server = http.createServer((request, response) => {
    const nonce = String(request.headers['x-nonce']);
    const size = Number(request.headers['x-size']);
    const fate = random.next();
    if (fate < 0.02) {
      request.socket.destroy();
      return;
    }
    const hash = createHash('sha256');
    request.on('data', (bytes: Buffer) => hash.update(bytes));
    request.on('error', () => undefined);
    request.on('end', () => {
      const body = bodyOf(nonce, size);
      const headers: Record<string, string> = { 'x-nonce': nonce, 'x-digest': hash.digest('hex') };
      if (fate < 0.5) headers['content-length'] = String(size);
      response.writeHead(200, headers);
      if (fate > 0.97) {
        response.write(body.subarray(0, size / 2));
        setImmediate(() => request.socket.destroy());
      } else response.end(body);
    });
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return server;
}

interface Tally {
  answered: number;
  refused: number;
  cut: number;
  left: number;
}

/** One client: requests over kept connections, some of which it abandons. */
async function runClient(port: number, id: number, random: Random, tally: Tally): Promise<void> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  for (let index = 0; index < REQUESTS_PER_CLIENT; index++) {
    const nonce = `${id}-${index}`;
    await exchange(port, agent, nonce, random, tally);
  }
  agent.destroy();
}

function exchange(port: number, agent: http.Agent, nonce: string, random: Random, tally: Tally): Promise<void> {
  const size = Math.floor(random.next() ** 4 * 300_000);
  const sent = bodyOf(`sent-${nonce}`, Math.floor(random.next() ** 4 * 200_000));
  const leaves = random.next() < 0.05;
  return new Promise((resolve, reject) => {
    const headers = { 'x-nonce': nonce, 'x-size': String(size) };
    const request = http.request({ port, agent, method: sent.length > 0 ? 'POST' : 'GET', path: `/${nonce}`, headers });
    let isLeaving = false;
    let isSettled = false;
    const onError = (): void => {
      if (isSettled) return;
      isSettled = true;
      if (isLeaving) tally.left++;
      else tally.cut++;
      resolve();
    };
    request.on('error', onError);
    request.on('response', (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (bytes: Buffer) => {
        pieces.push(bytes);
        if (leaves) {
          isLeaving = true;
          request.destroy(new Error('leaving'));
        }
      });
      response.on('error', onError);
      response.on('end', () => {
        if (isSettled) return;
        isSettled = true;
        try {
          check(response, Buffer.concat(pieces), nonce, size, sent, tally);
          resolve();
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      });
    });
    request.end(sent.length > 0 ? sent : undefined);
  });
}

function check(
  response: http.IncomingMessage,
  body: Buffer,
  nonce: string,
  size: number,
  sent: Buffer,
  tally: Tally,
): void {
  if (response.statusCode !== 200) {
    expect([502, 503]).toContain(response.statusCode);
    tally.refused++;
    return;
  }
  expect(response.headers['x-nonce']).toBe(nonce);
  expect(response.headers['x-digest']).toBe(createHash('sha256').update(sent).digest('hex'));
  expect(body.length).toBe(size);
  expect(body.equals(bodyOf(nonce, size))).toBe(true);
  tally.answered++;
}

it('no answer meets another request, and every count returns to zero', async () => {
  const random = seededRandom(42);
  const dataPath = new DataPath({ maxConnections: 1_000 });
  path = dataPath;
  const servers = await Promise.all([listen(random), listen(random), listen(random)]);
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  dataPath.addCluster('web', ports);
  const action = routeAction({
    retryPolicy: retryPolicy({ retryOn: ['connect-failure', 'reset'], previousHosts: true }),
  });
  const table = routeConfiguration({ virtualHosts: [virtualHost({ routes: [route({ action })] })] });
  const configuration = (statPrefix: string): Listener =>
    httpListener('churn', { statPrefix, routes: { kind: 'inline', routeConfiguration: table } });
  await dataPath.apply([configuration('first')]);
  const port = dataPath.listeners.get('churn')?.port ?? 0;

  const tally: Tally = { answered: 0, refused: 0, cut: 0, left: 0 };
  let changes = 0;
  const changing = setInterval(() => {
    changes++;
    dataPath.assign(
      'web',
      ports.filter((_, index) => index !== changes % 4),
    );
    if (changes % 3 === 0) void dataPath.apply([configuration(`version${changes % 2}`)]);
  }, 5);
  await Promise.all(Array.from({ length: CLIENTS }, (_, id) => runClient(port, id, seededRandom(id + 1), tally)));
  clearInterval(changing);

  const total = CLIENTS * REQUESTS_PER_CLIENT;
  expect(tally.answered + tally.refused + tally.cut + tally.left).toBe(total);
  // Upstreams hang up on about 5 % and clients leave 5 %; all else must be answered.
  expect(tally.answered).toBeGreaterThan(total * 0.85);
  expect(changes).toBeGreaterThan(3);

  const web = dataPath.clusters.get('web');
  const gauges = (): unknown => ({
    downstreamConnections: dataPath.gauge('listener', '127.0.0.1:0', 'downstream_cx_active'),
    streams: ['first', 'version0', 'version1'].map((name) => dataPath.gauge('http', name, 'downstream_rq_active')),
    requests: web?.breakers.active('requests'),
    pending: web?.breakers.active('pendingRequests'),
    retries: web?.breakers.active('retries'),
    inFlight: web?.hosts.map((host) => host.inFlight()),
  });
  await expect.poll(gauges, { timeout: 5_000 }).toEqual({
    downstreamConnections: 0,
    streams: [0, 0, 0],
    requests: 0,
    pending: 0,
    retries: 0,
    inFlight: web?.hosts.map(() => 0),
  });
  dataPath.assign('web', []);
  await expect.poll(() => dataPath.gauge('cluster', 'web', 'upstream_cx_active')).toBe(0);
  expect(web?.breakers.active('connections')).toBe(0);
  for (const server of servers) server.close().closeAllConnections();
}, 60_000);
