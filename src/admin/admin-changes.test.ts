import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { startAdmin } from './admin.ts';
import { startFake, stopAll, VIEWS } from './testing/fake-proxy.ts';

afterEach(stopAll);

async function text(url: string, init?: RequestInit): Promise<string> {
  return (await fetch(url, init)).text();
}

/** fetch sets Host itself; a rebinding browser does not ask it. */
function statusWithHeaders(
  port: number,
  method: string,
  path: string,
  headers: Record<string, string>,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port, method, path, headers }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0));
    });
    request.on('error', reject).end();
  });
}

describe('changing something', () => {
  it('takes POST only', async () => {
    const { url, done } = await startFake();
    for (const path of ['/quitquitquit', '/drain_listeners', '/healthcheck/fail', '/logging?level=debug']) {
      expect((await fetch(url + path)).status, path).toBe(405);
    }
    expect((await fetch(`${url}/ready`, { method: 'POST' })).status).toBe(405);
    expect(done).toEqual([]);
  });

  it('does what the path says', async () => {
    const { url, done } = await startFake();
    const post = (path: string): Promise<string> => text(url + path, { method: 'POST' });
    expect(await post('/healthcheck/fail')).toBe('OK\n');
    await post('/healthcheck/ok');
    await post('/drain_listeners?inboundonly');
    await post('/drain_listeners?graceful&skip_exit');
    expect(await post('/drain_listeners?skip_exit')).toBe('skip_exit requires graceful\n');
    expect(await post('/logging?level=debug')).toBe('active loggers:\n  root: info\n');
    await post('/logging?paths=xds:debug,http:warning');
    await post('/quitquitquit');
    expect(done).toEqual([
      'failing true',
      'failing false',
      'drain {"inboundOnly":true,"graceful":false,"skipExit":false}',
      'drain {"inboundOnly":false,"graceful":true,"skipExit":true}',
      'all debug',
      'xds debug',
      'http warn',
      'quit',
    ]);
  });

  it('names a logger or level that does not exist', async () => {
    const { url } = await startFake();
    const response = await fetch(`${url}/logging?xds=loud`, { method: 'POST' });
    expect([response.status, await response.text()]).toEqual([
      400,
      expect.stringContaining('no logger "xds" or no level "loud"\nlevels: trace, debug'),
    ]);
  });
});

describe('the guard', () => {
  it.each([
    ['an address', { host: '127.0.0.1:19000' }, 200],
    ['an IPv6 address', { host: '[::1]:19000' }, 200],
    ['localhost', { host: 'LocalHost' }, 200],
    ['a rebound name', { host: 'evil.example' }, 403],
    ['a name that begins like an address', { host: '127.0.0.1.evil.example' }, 403],
    ['a name that ends like localhost', { host: 'evil-localhost:80' }, 403],
  ])('reads by %s', async (_, headers, status) => {
    const { port } = await startFake();
    expect(await statusWithHeaders(port, 'GET', '/ready', headers)).toBe(status);
  });

  it.each([
    ['another origin', { host: 'localhost', origin: 'https://evil.example' }, 403],
    ['a hidden origin', { host: 'localhost', origin: 'null' }, 403],
    ['another site', { host: 'localhost', 'sec-fetch-site': 'cross-site' }, 403],
    ['its own page', { host: 'localhost', origin: 'http://localhost', 'sec-fetch-site': 'same-origin' }, 200],
    ['a script', { host: 'localhost' }, 200],
  ])('changes something for %s', async (_, headers, status) => {
    const { port, done } = await startFake();
    expect(await statusWithHeaders(port, 'POST', '/quitquitquit', headers)).toBe(status);
    expect(done).toEqual(status === 200 ? ['quit'] : []);
  });

  it('cuts a body beyond its bound', async () => {
    const { port } = await startFake();
    await new Promise<void>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => {});
      socket.on('close', () => resolve());
      socket.write('POST /logging HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100000000\r\n\r\n');
      const chunk = Buffer.alloc(65_536);
      const more = (): void => {
        while (!socket.destroyed && socket.write(chunk));
        if (!socket.destroyed) socket.once('drain', more);
      };
      more();
    });
  });

  it('outlives a view that fails, and says where', async () => {
    const { url, failures } = await startFake({
      clusters: () => {
        throw new Error('secret detail');
      },
    });
    const response = await fetch(`${url}/clusters`);
    expect([response.status, await response.text()]).toEqual([500, '/clusters failed; the log says why\n']);
    expect(failures).toEqual(['/clusters']);
    expect(await text(`${url}/ready`)).toBe('LIVE\n');
  });
});

it('names the address and the fix where the port is taken', async () => {
  const { port } = await startFake();
  const again = startAdmin({
    address: { kind: 'ip', host: '127.0.0.1', port },
    views: VIEWS,
    actions: { setLogLevel: () => true, drainListeners: () => {}, setHealthCheckFailing: () => {}, quit: () => {} },
  });
  await expect(again).rejects.toThrow(
    new RegExp(
      `admin server cannot listen on 127\\.0\\.0\\.1:${port}: .*EADDRINUSE.*; another process has it; choose another`,
    ),
  );
});
