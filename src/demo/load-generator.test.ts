import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { LatencyRecord } from './latency-record.ts';
import { LoadGenerator } from './load-generator.ts';

type Answer = { status: number; headers?: Record<string, string> } | 'none';

async function withServer(answers: readonly Answer[], run: (port: number) => Promise<void>): Promise<void> {
  let next = 0;
  const server = createServer((_request, response) => {
    const answer = answers[next % answers.length];
    next += 1;
    if (answer !== undefined && answer !== 'none') response.writeHead(answer.status, answer.headers).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    await run((server.address() as AddressInfo).port);
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

test("good answers, the services' own errors and failures are counted apart", async () => {
  const answers: Answer[] = [
    { status: 200 },
    { status: 500, headers: { 'x-demo-app-error': 'pricing' } },
    { status: 503 },
  ];
  await withServer(answers, async (port) => {
    const load = new LoadGenerator({ port, service: 'web', requestsPerSecond: 500 });
    load.start();
    await expect.poll(() => load.counts().total).toBeGreaterThanOrEqual(9);
    await load.stop();
    const { total, failed, appErrors, inFlight, lastFailures, p50Ms } = load.counts();
    expect(inFlight).toBe(0);
    expect(Math.abs(failed - total / 3)).toBeLessThan(2);
    expect(Math.abs(appErrors - total / 3)).toBeLessThan(2);
    expect(lastFailures[0]).toContain('web: 503');
    expect(p50Ms).toBeGreaterThan(0);
  });
});

test('no more than the bound are under way; the rest is counted as skipped', async () => {
  await withServer(['none'], async (port) => {
    const load = new LoadGenerator({ port, service: 'web', requestsPerSecond: 1_000, maxInFlight: 3, timeoutMs: 300 });
    load.start();
    await expect.poll(() => load.counts().skipped).toBeGreaterThan(0);
    expect(load.counts().inFlight).toBeLessThanOrEqual(3);
    await load.stop();
    expect(load.counts().lastFailures[0]).toContain('no answer within 300 ms');
  });
});

test('nobody there is a failure with its cause', async () => {
  const load = new LoadGenerator({ port: 1, service: 'web', requestsPerSecond: 1 });
  expect(await load.probe()).toEqual({ kind: 'failed', reason: expect.stringContaining('ECONNREFUSED') });
  await load.stop();
});

test('percentiles are nearest ranks over the last values', () => {
  const record = new LatencyRecord(100);
  expect(record.percentile(0.99)).toBe(0);
  for (let ms = 1; ms <= 150; ms += 1) record.add(ms);
  expect(record.percentile(0.5)).toBe(100);
  expect(record.percentile(0.99)).toBe(149);
  expect(record.percentile(1)).toBe(150);
});
