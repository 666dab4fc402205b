import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { httpListener } from '../../../test/support/resources.ts';
import type { AccessLogger } from '../../resource/access-logger.ts';
import { DataPath, RawPeer, RawUpstream } from './data-path-fixture.ts';

let folder: string;
let path: DataPath;
let upstream: RawUpstream;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'weft-access-log-'));
  path = new DataPath();
  upstream = await RawUpstream.listen();
  path.addCluster('web', [upstream.port]);
});

afterEach(() => {
  upstream.close();
  path.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('access logs', () => {
  const log = (text: string): AccessLogger => ({
    destination: { kind: 'file', path: join(folder, 'access.log') },
    format: { kind: 'text', text, omitEmptyValues: false },
  });

  it('write one line for each stream, and go on after an update of the listener', async () => {
    const accessLogs = [log('%REQ(:METHOD)% %REQ(:PATH)% %RESPONSE_CODE%\n')];
    const port = await path.serve({ accessLogs });
    const client = await RawPeer.connect(port);
    client.send('GET /a HTTP/1.1\r\nhost: web\r\n\r\n');
    const host = await upstream.connection(0);
    await host.receives('\r\n\r\n');
    host.send('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
    await client.receives('ok');
    await path.recordsReach(1);
    await path.serve({ accessLogs, serverName: 'changed' });
    client.send('GET /b HTTP/1.1\r\nhost: web\r\n\r\n');
    await host.until(() => host.received.includes('/b'), 'the second request');
    host.send('HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nno');
    await client.receives('no');
    await path.recordsReach(2);
    await path.accessLogs.close();
    client.destroy();
    expect(readFileSync(join(folder, 'access.log'), 'utf8')).toBe('GET /a 200\nGET /b 404\n');
  });

  it('a format that cannot be compiled is a fault of that listener, named', async () => {
    const [fault] = await path.apply([httpListener('bad', { accessLogs: [log('%NO_SUCH_OPERATOR%')] })]);
    expect(fault).toMatchObject({ listenerName: 'bad' });
    expect(fault?.message).toContain('NO_SUCH_OPERATOR');
  });
});
