import { describe, expect, it } from 'vitest';
import { FirstConfig } from './first-config.ts';

const SERVERS = [{ host: '127.0.0.1', port: 18_000 }];
const TIMEOUT_MS = 1;
const LONG_MS = 60_000;

function reasonAfter(lastError: string): Promise<string> {
  const first = new FirstConfig(TIMEOUT_MS, SERVERS);
  if (lastError !== '') first.clientState({ kind: 'waiting', untilMs: 0, lastError }, lastError);
  return first.ready.then(
    () => 'ready',
    (error: Error) => error.message,
  );
}

describe('the first configuration', () => {
  it('is there when a worker has applied all there is', async () => {
    const first = new FirstConfig(LONG_MS, SERVERS);
    first.applied(false, []);
    first.applied(true, []);
    await expect(first.ready).resolves.toBeUndefined();
  });

  it('fails with the listener that cannot be bound', async () => {
    const first = new FirstConfig(LONG_MS, SERVERS);
    first.applied(false, [{ name: 'entry', message: 'listener entry: cannot bind 127.0.0.1:80' }]);
    await expect(first.ready).rejects.toThrow('listener entry: cannot bind 127.0.0.1:80');
  });

  it.each([
    ['', 'no answer from control server 127.0.0.1:18000; start weft control there'],
    ['127.0.0.1:18000: UNAVAILABLE: ECONNREFUSED', 'ECONNREFUSED; start weft control there, or give --control its'],
  ])('that never came because of %j names the server and the fix', async (lastError, said) => {
    expect(await reasonAfter(lastError)).toContain(said);
  });

  it('that does not run says that the server is there', async () => {
    const first = new FirstConfig(TIMEOUT_MS, SERVERS);
    first.clientState({ kind: 'streaming', server: { host: '127.0.0.1', port: 18_000 }, sinceMs: 0 }, '');
    await expect(first.ready).rejects.toThrow('control server 127.0.0.1:18000 answers, but nothing it sent can run');
  });

  it('that was refused says why, and does not send people to start a server that runs', async () => {
    const said = await reasonAfter('127.0.0.1:18000: NOT_FOUND: proxy "web" is not registered in Consul. Register it');
    expect(said).toMatch(/control server 127\.0\.0\.1:18000: NOT_FOUND: proxy "web" is not registered.*Register it$/);
  });
});
