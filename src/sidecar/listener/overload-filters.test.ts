import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FilteredPath, type Json, managerOf } from './http-filter-fixture.ts';

let filtered: FilteredPath;

beforeEach(async () => {
  filtered = await FilteredPath.open();
});

afterEach(() => filtered.close());

const GET = 'GET / HTTP/1.1\r\nhost: web';

describe('admission control', () => {
  const TYPE = 'admission_control.v3.AdmissionControl';
  const config = (json: Json = {}): Json => ({
    successCriteria: {},
    maxRejectionProbability: { defaultValue: { value: 100 } },
    // So large that a single failure makes rejection all but certain.
    aggression: { defaultValue: 1e9 },
    ...json,
  });
  const count = (name: string): number => filtered.path.counter('http', 'ingress', `admission_control.${name}`);

  it('refuses while requests fail, and says why', async () => {
    await filtered.serve(managerOf([[TYPE, config()]]));
    expect((await filtered.exchange(GET, 'HTTP/1.1 500 No')).got).toContain('HTTP/1.1 500');
    expect((await filtered.exchange(GET)).got).toContain('HTTP/1.1 503');
    expect(await filtered.path.recordsReach(2)).toMatchObject({ responseCodeDetails: 'denied_by_admission_control' });
    expect(['rq_success', 'rq_failure', 'rq_rejected'].map(count)).toEqual([0, 1, 1]);
  });

  it('lets everything through while requests succeed by the configured ranges', async () => {
    const successCriteria = { httpCriteria: { httpSuccessStatus: [{ start: 500, end: 501 }] } };
    await filtered.serve(managerOf([[TYPE, config({ successCriteria })]]));
    await filtered.exchange(GET, 'HTTP/1.1 500 No');
    expect((await filtered.exchange(GET)).got).toContain('200 OK');
    expect((await filtered.exchange(GET)).got).toContain('HTTP/1.1 503');
  });

  it('judges gRPC calls by their status', async () => {
    await filtered.serve(managerOf([[TYPE, config()]]));
    const call = 'POST /a.B/C HTTP/1.1\r\nhost: web\r\ncontent-type: application/grpc\r\ncontent-length: 0';
    const answer = (status: number): string =>
      `HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\ngrpc-status: ${status}`;
    await filtered.exchange(call, answer(5));
    await filtered.exchange(call, answer(14));
    await filtered.path.recordsReach(2);
    expect(['rq_success', 'rq_failure'].map(count)).toEqual([1, 1]);
    expect((await filtered.exchange(call)).got).toContain('grpc-status: 14');
  });

  it('refuses nothing below the rate, above the largest probability, or where it is off', async () => {
    for (const json of [
      { rpsThreshold: { defaultValue: 1000 } },
      { maxRejectionProbability: { defaultValue: { value: 0 } } },
      { enabled: { defaultValue: false, runtimeKey: 'x' } },
    ]) {
      await filtered.serve(managerOf([[TYPE, config(json)]]));
      await filtered.exchange(GET, 'HTTP/1.1 500 No');
      expect((await filtered.exchange(GET)).got).toContain('200 OK');
    }
  });

  it('a caller that leaves is no failure', async () => {
    await filtered.serve(managerOf([[TYPE, config()]]));
    const client = await filtered.client();
    const served = filtered.nextConnection();
    client.send(`${GET}\r\n\r\n`);
    await (await served).receives('\r\n\r\n');
    client.destroy();
    await filtered.path.recordsReach(1);
    expect(['rq_success', 'rq_failure'].map(count)).toEqual([0, 0]);
  });
});

describe('adaptive concurrency', () => {
  const TYPE = 'adaptive_concurrency.v3.AdaptiveConcurrency';
  const config = (json: Json = {}): Json => ({
    gradientControllerConfig: {
      concurrencyLimitParams: { concurrencyUpdateInterval: '3600s' },
      minRttCalcParams: { interval: '3600s', requestCount: 2, minConcurrency: 1 },
    },
    ...json,
  });
  const stat = (name: string): string => `adaptive_concurrency.gradient_controller.${name}`;
  const blocked = (): number => filtered.path.counter('http', 'ingress', stat('rq_blocked'));
  const gauge = (name: string): number => filtered.path.gauge('http', 'ingress', stat(name));

  /** A request that the upstream has and does not answer. */
  async function holdOne(): Promise<() => Promise<void>> {
    const client = await filtered.client();
    const served = filtered.nextConnection();
    client.send(`${GET}\r\n\r\n`);
    const connection = await served;
    await connection.receives('\r\n\r\n');
    return async () => {
      connection.send('HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok');
      await client.receives('ok');
    };
  }

  it('refuses what is above the limit, and takes the next when one has ended', async () => {
    await filtered.serve(managerOf([[TYPE, config()]]));
    const release = await holdOne();
    expect((await filtered.exchange(GET)).got).toMatch(/^HTTP\/1\.1 503 [\s\S]*reached concurrency limit$/);
    expect(await filtered.path.recordsReach(1)).toMatchObject({ responseCodeDetails: 'reached_concurrency_limit' });
    expect([blocked(), gauge('concurrency_limit'), gauge('min_rtt_calculation_active')]).toEqual([1, 1, 1]);
    await release();
    await filtered.path.recordsReach(2);
    expect((await filtered.exchange(GET)).got).toContain('200 OK');
    await filtered.path.recordsReach(3);
    expect(gauge('min_rtt_calculation_active')).toBe(0);
    expect(gauge('min_rtt_msecs')).toBeGreaterThan(0);
  });

  it('answers with the configured status', async () => {
    await filtered.serve(managerOf([[TYPE, config({ concurrencyLimitExceededStatus: { code: 'TooManyRequests' } })]]));
    await holdOne();
    expect((await filtered.exchange(GET)).got).toContain('HTTP/1.1 429');
  });

  it('a caller that leaves gives its place back', async () => {
    await filtered.serve(managerOf([[TYPE, config()]]));
    const client = await filtered.client();
    const served = filtered.nextConnection();
    client.send(`${GET}\r\n\r\n`);
    await (await served).receives('\r\n\r\n');
    client.destroy();
    await filtered.path.recordsReach(1);
    expect((await filtered.exchange(GET)).got).toContain('200 OK');
  });

  it('limits nothing where it is off', async () => {
    await filtered.serve(managerOf([[TYPE, config({ enabled: { defaultValue: false, runtimeKey: 'x' } })]]));
    await holdOne();
    expect((await filtered.exchange(GET)).got).toContain('200 OK');
  });
});
