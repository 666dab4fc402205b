import { request } from 'undici';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ConsoleViews, type RunningConsole, startConsole } from './console.ts';
import type { Overview } from './views.ts';

const EVIL = '<script>alert("x")</script>';

const OVERVIEW: Overview = {
  consul: {
    address: 'http://127.0.0.1:8500',
    state: 'down',
    leader: undefined,
    error: EVIL,
    watches: [{ key: `health ${EVIL}`, state: 'stale', ageSeconds: 12, subscribers: 1, streamed: false, error: EVIL }],
  },
  services: {
    state: 'known',
    services: [
      {
        name: EVIL,
        health: { passing: 1, warning: 0, critical: 0 },
        instances: [{ id: EVIL, node: 'n', address: '127.0.0.1', port: 1, kind: '', health: 'passing' }],
      },
    ],
  },
  loads: [{ cluster: '<web>', issued: 7, successful: 5, failed: 2, dropped: 1, inProgress: 3, reporters: 2 }],
  sidecars: [
    {
      id: EVIL,
      service: 'web',
      registration: 'following',
      peer: '127.0.0.1:5',
      userAgent: EVIL,
      variant: 'sotw',
      connectedAt: '2026-01-01T00:00:00.000Z',
      snapshotVersion: 'v',
      types: [{ type: 'CDS', sync: 'NACKED', sentVersion: '1', acknowledgedVersion: undefined, detail: EVIL }],
    },
  ],
  intentions: [
    {
      service: EVIL,
      enforced: false,
      defaultPolicy: 'deny',
      rules: [{ source: EVIL, destination: EVIL, decision: 'deny', precedence: 9, modifyIndex: 1 }],
    },
  ],
  problems: [{ severity: 'error', where: EVIL, message: EVIL }],
  xds: { streams: 1, acknowledged: 2, rejected: 3, responses: 4, snapshots: 5 },
  recentTraces: [{ name: EVIL }],
};

const VIEWS: ConsoleViews = {
  overview: () => Promise.resolve(OVERVIEW),
  proxy: (id) =>
    id === 'a/b'
      ? { id, registration: null, state: 'following', streams: [], problems: [], snapshot: undefined }
      : undefined,
  readiness: () => 'live',
  counters: () => [{ name: 'weft_x_total', help: 'Two\nlines.', kind: 'counter', value: 3 }],
};

let console_: RunningConsole;

const ask = async (path: string, options: { method?: 'GET' | 'POST' | 'HEAD'; host?: string } = {}) => {
  const { statusCode, headers, body } = await request(`http://127.0.0.1:${console_.port}${path}`, {
    method: options.method ?? 'GET',
    headers: options.host === undefined ? {} : { host: options.host },
    reset: true,
  });
  return { status: statusCode, headers, text: await body.text() };
};

beforeEach(async () => {
  console_ = await startConsole({ host: '127.0.0.1', port: 0, hostNames: ['mesh.example'], views: VIEWS });
});

afterEach(() => console_.stop());

describe('console', () => {
  test('shows the mesh on one page, with everything that comes from outside escaped', async () => {
    const { status, text, headers } = await ask('/');
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    expect(headers['content-security-policy']).toContain("default-src 'none'");
    expect(text).not.toContain('<script');
    expect(text).toContain('&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;');
    expect(text).toContain('NACKED');
    expect(text).toContain('12 s ago');
  });

  test('gives the same as JSON', async () => {
    const { text } = await ask('/api/overview');
    expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(OVERVIEW)));
  });

  test('gives one proxy by its encoded id, and 404 for one nobody knows', async () => {
    expect(JSON.parse((await ask('/api/proxies/a%2Fb')).text)).toMatchObject({ id: 'a/b' });
    expect((await ask('/api/proxies/nobody')).status).toBe(404);
    expect((await ask('/api/proxies/%ff')).status).toBe(404);
    expect((await ask('/nothing')).status).toBe(404);
  });

  test("gives counters in Prometheus' text format", async () => {
    expect((await ask('/metrics')).text).toBe(
      '# HELP weft_x_total Two\\nlines.\n# TYPE weft_x_total counter\nweft_x_total 3\n',
    );
  });

  test.each(['evil.example', 'evil.example:80', '127.0.0.1.evil.example', 'localhost.evil', 'a b'])(
    'is not there under the name %s',
    async (host) => {
      expect((await ask('/api/overview', { host })).status).toBe(403);
    },
  );

  test.each(['localhost:1', '127.0.0.1', '[::1]:9', 'mesh.example', '10.1.2.3:18080'])(
    'answers to %s',
    async (host) => {
      expect((await ask('/ready', { host })).status).toBe(200);
    },
  );

  test('only reads, and lets no other origin in', async () => {
    const { status, headers } = await ask('/', { method: 'POST' });
    expect(status).toBe(405);
    expect(headers['access-control-allow-origin']).toBeUndefined();
    expect((await ask('/', { method: 'HEAD' })).text).toBe('');
  });

  test('says when a view fails, and lives on', async () => {
    const failing = await startConsole({
      host: '127.0.0.1',
      port: 0,
      hostNames: [],
      views: { ...VIEWS, overview: () => Promise.reject(new Error('boom')) },
    });
    const { statusCode, body } = await request(`http://127.0.0.1:${failing.port}/`, { reset: true });
    expect([statusCode, await body.text()]).toEqual([500, 'the console failed: boom\n']);
    await failing.stop();
  });

  test('names the address and the fix when the port is taken', async () => {
    const again = startConsole({ host: '127.0.0.1', port: console_.port, hostNames: [], views: VIEWS });
    await expect(again).rejects.toThrow(`console: cannot listen on 127.0.0.1:${console_.port}`);
  });
});
