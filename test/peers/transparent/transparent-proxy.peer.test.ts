import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { type ChildProgram, weft } from '../../mesh/support/child-program.ts';
import {
  asUser,
  describeInNamespace,
  NetworkNamespace,
  REMOTE_IPV4,
  REMOTE_IPV6,
} from '../support/network-namespace.ts';
import { makeTempDirectory } from '../support/temp-directory.ts';
import { getAt, heardFrom, startGreeter } from './support/exchange-at.ts';
import { blockOf, commands, SIDECAR_UID } from './support/page.ts';

const ADMIN = 'http://127.0.0.1:19000';

describeInNamespace('the transparent proxy of docs/deploy/transparent-proxy.md', () => {
  const directory = makeTempDirectory('transparent-proxy');
  const rules = join(directory.path, 'weft.nft');
  let network: NetworkNamespace | undefined;
  let sidecar: ChildProgram | undefined;
  const web = createServer((_, response) => response.end('web'));

  beforeAll(async () => {
    network = new NetworkNamespace();
    writeFileSync(rules, blockOf('nft'));
    web.listen(8080, '127.0.0.1');
    await once(web, 'listening');
  });

  afterAll(() => {
    web.close();
    network?.[Symbol.dispose]();
    directory.remove();
  });

  beforeEach(async () => {
    const file = join(directory.path, 'transparent.yaml');
    writeFileSync(file, blockOf('yaml'));
    const started = commands().find((command) => command.includes('weft sidecar')) ?? '';
    const [, options = ''] = started.split('--bootstrap transparent.yaml ');
    const args = ['sidecar', '--bootstrap', file, ...options.split(' '), '--no-state', '--concurrency', '2'];
    sidecar = weft(args, { OTEL_TRACES_EXPORTER: 'none' }, asUser(SIDECAR_UID));
    await sidecar.said(/admin on/);
    execFileSync('nft', ['-f', rules]);
  });

  afterEach(async () => {
    execFileSync('nft', ['delete', 'table', 'inet', 'weft']);
    await sidecar?.[Symbol.asyncDispose]();
  });

  const stat = async (name: string): Promise<number> => {
    const text = await (await fetch(`${ADMIN}/stats?filter=${name}`)).text();
    return Number(/: (\d+)/.exec(text)?.[1] ?? 0);
  };

  test('its commands are those that are run here', () => {
    expect(commands()).toEqual([
      `useradd --system --uid ${SIDECAR_UID} --no-create-home weft`,
      `setpriv --reuid ${SIDECAR_UID} --regid ${SIDECAR_UID} --clear-groups weft sidecar --bootstrap transparent.yaml --admin 127.0.0.1:19000`,
      'nft -f weft.nft',
      'nft list table inet weft',
      'nft delete table inet weft',
    ]);
    expect(execFileSync('nft', ['list', 'table', 'inet', 'weft'], { encoding: 'utf8' })).toContain(
      'redirect to :15001',
    );
    // Loading them again replaces them.
    execFileSync('nft', ['-f', rules]);
  });

  test('an address that nobody has is a service, by the chain whose range holds it', async () => {
    expect(await getAt('240.0.0.1', 80)).toBe('200 web');
    expect(await stat('http.web.downstream_rq_total')).toBe(1);
    expect(await stat('cluster.web.upstream_rq_total')).toBe(1);
  });

  test.each([REMOTE_IPV4, REMOTE_IPV6])(
    'what is meant for %s arrives there, through the sidecar, and does not loop',
    async (host) => {
      await using greeter = await startGreeter(host, 0);
      // It speaks first: nobody waits for the client to say something.
      expect(await heardFrom(host, greeter.port)).toBe(`reached at ${host} ${greeter.port}`);
      expect(await stat('tcp.passthrough.downstream_cx_total')).toBe(1);
      expect(await stat('cluster.original-destination.upstream_cx_total')).toBe(1);
      expect(await stat('cluster.original-destination.upstream_cx_connect_fail')).toBe(0);
    },
  );

  test('where nobody listens the connection ends, and the port of the sidecar itself leads nowhere', async () => {
    expect(await heardFrom(REMOTE_IPV4, 9)).toBe('');
    expect(await stat('cluster.original-destination.upstream_cx_connect_fail')).toBe(1);
    expect(await heardFrom('127.0.0.1', 15_001)).toBe('');
    expect(await heardFrom('::1', 15_001)).toBe('');
    expect(await stat('tcp.passthrough.downstream_cx_no_route')).toBe(2);
    expect(await stat('cluster.original-destination.upstream_cx_total')).toBe(1);
  });

  test('without the rules connections go by themselves', async () => {
    execFileSync('nft', ['flush', 'table', 'inet', 'weft']);
    await using greeter = await startGreeter(REMOTE_IPV4, 0);
    expect(await heardFrom(REMOTE_IPV4, greeter.port)).toContain('reached at');
    expect(await stat('tcp.passthrough.downstream_cx_total')).toBe(0);
  });
});
