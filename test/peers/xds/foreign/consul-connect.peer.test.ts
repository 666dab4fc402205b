import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { TestAuthority } from '../../../../src/control/consul/testing/certificates.ts';
import { ask } from '../../../mesh/support/exchange.ts';
import { freePort } from '../../../mesh/support/free-ports.ts';
import { Load } from '../../../mesh/support/load.ts';
import { until } from '../../../mesh/support/waiting.ts';
import { describeWithPeer } from '../../support/peer.ts';
import { makeTempDirectory } from '../../support/temp-directory.ts';
import { EchoClient, startGrpcEcho } from '../support/grpc-backend.ts';
import { ConnectMesh, DENIES_BY_DEFAULT } from './support/connect-mesh.ts';

const WITHIN_MS = 30_000;

describeWithPeer('consul', "our sidecars under Consul's own control plane", () => {
  test('HTTP passes both sidecars over mutual TLS, under intentions by service and by request', async () => {
    await using mesh = await ConnectMesh.start(DENIES_BY_DEFAULT);
    for (const name of ['web', 'api']) await mesh.entry('service-defaults', name, { Protocol: 'http' });
    const api = await mesh.add({ service: 'api', instance: 'api-1' });
    const web = await mesh.add({ service: 'web', instance: 'web-1', upstreams: ['api'] });
    const port = web.upstreamPort('api');
    const statusOf = async (path: string, method = 'GET'): Promise<number> =>
      (await ask({ port, path, method })).status;
    const becomes = (status: number, path = '/', method = 'GET'): Promise<true> =>
      until(
        `${status} for ${path}`,
        async () => ((await statusOf(path, method)) === status ? true : undefined),
        WITHIN_MS,
      );

    await becomes(403);
    expect((await ask({ port })).text).toBe('RBAC: access denied');
    await mesh.intention('web', 'api', 'allow');
    await becomes(200);
    const { origin } = await ask({ port, path: '/hello' });
    expect([origin.instance, origin.url]).toEqual(['api-1', '/hello']);
    // The application is told who called; nobody gets in without a certificate of the mesh.
    expect(origin.headers['x-forwarded-client-cert']?.join()).toMatch(/URI=spiffe:\/\/[^;]+\/svc\/web/);
    await expect(ask({ port: api.inboundPort })).rejects.toThrow();

    await mesh.entry('service-intentions', 'api', {
      Sources: [
        {
          Name: 'web',
          Permissions: [
            { Action: 'deny', HTTP: { PathPrefix: '/admin' } },
            { Action: 'allow', HTTP: { PathPrefix: '/', Methods: ['GET'] } },
          ],
        },
      ],
    });
    await becomes(403, '/admin/users');
    expect(await statusOf('/')).toBe(200);
    expect(await statusOf('/', 'POST')).toBe(403);
    // However it is spelt.
    for (const path of ['//admin', '/./admin', '/x/../admin', '/%61dmin'])
      expect([path, await statusOf(path)]).toEqual([path, 403]);
    await mesh.intention('web', 'api', 'deny');
    await becomes(403);
    expect(mesh.refusals).toEqual([]);
  });

  test('router, splitter and instances that come and go are followed under load without a failure', async () => {
    await using mesh = await ConnectMesh.start();
    for (const name of ['web', 'api', 'next']) await mesh.entry('service-defaults', name, { Protocol: 'http' });
    await mesh.add({ service: 'api', instance: 'api-1' });
    await mesh.add({ service: 'next', instance: 'next-1' });
    const web = await mesh.add({ service: 'web', instance: 'web-1', upstreams: ['api'] });
    const port = web.upstreamPort('api');
    await until('the first answer', async () => ((await ask({ port })).status === 200 ? true : undefined), WITHIN_MS);

    const load = new Load({ port });
    await mesh.entry('service-splitter', 'api', { Splits: [{ Weight: 50 }, { Weight: 50, Service: 'next' }] });
    await until('the split', () => load.byInstance.get('next-1'), WITHIN_MS);
    await mesh.entry('service-router', 'api', {
      Routes: [{ Match: { HTTP: { PathPrefix: '/next/' } }, Destination: { Service: 'next', PrefixRewrite: '/' } }],
    });
    const routed = await until(
      'the route',
      async () => {
        const { origin } = await ask({ port, path: '/next/things' });
        return origin.url === '/things' ? origin : undefined;
      },
      WITHIN_MS,
    );
    expect(routed.instance).toBe('next-1');

    await mesh.add({ service: 'api', instance: 'api-2' });
    await until('traffic on the instance that came', () => load.byInstance.get('api-2'), WITHIN_MS);
    await mesh.put('/v1/agent/service/deregister/api-2', {});
    await until(
      'a hundred requests past the instance that left',
      async () => {
        const before = load.byInstance.get('api-2');
        await load.more(100);
        return load.byInstance.get('api-2') === before ? true : undefined;
      },
      WITHIN_MS,
    );
    await load.stop();
    expect(load.failures).toEqual([]);
    expect(mesh.refusals).toEqual([]);
  });

  test('failover of a resolver is obeyed there and back, and all goes on when Consul is gone', async () => {
    await using mesh = await ConnectMesh.start();
    for (const name of ['web', 'api', 'backup']) await mesh.entry('service-defaults', name, { Protocol: 'http' });
    await mesh.entry('service-resolver', 'api', { Failover: { '*': { Service: 'backup' } } });
    const api = await mesh.add({ service: 'api', instance: 'api-1' });
    await mesh.add({ service: 'backup', instance: 'backup-1' });
    const web = await mesh.add({ service: 'web', instance: 'web-1', upstreams: ['api'] });
    const port = web.upstreamPort('api');
    const answeredBy = (instance: string): Promise<true> =>
      until(
        `answers of ${instance}`,
        async () => {
          const answer = await ask({ port });
          return answer.status === 200 && answer.origin.instance === instance ? true : undefined;
        },
        WITHIN_MS,
      );
    await answeredBy('api-1');
    await mesh.maintenance('api-1', true);
    await answeredBy('backup-1');
    await mesh.maintenance('api-1', false);
    await answeredBy('api-1');

    const load = new Load({ port });
    await load.more(50);
    await mesh.consul.crash();
    await load.more(200);
    await load.stop();
    expect(load.failures).toEqual([]);
    expect(api.sidecar?.isGone).toBe(false);
    expect(mesh.refusals).toEqual([]);
  });

  test('gRPC calls pass, are denied with a status that callers know, and are counted', async () => {
    await using mesh = await ConnectMesh.start(DENIES_BY_DEFAULT);
    await mesh.entry('service-defaults', 'echo', { Protocol: 'grpc' });
    await using backend = await startGrpcEcho('echo-1');
    const echo = await mesh.add({ service: 'echo', instance: 'echo-1', appPort: backend.port });
    const web = await mesh.add({ service: 'web', instance: 'web-1', upstreams: ['echo'] });
    using client = new EchoClient(`127.0.0.1:${web.upstreamPort('echo')}`);
    // What no intention allows is denied with a status that a gRPC caller understands.
    expect(await until('what comes of a call', () => outcomeOf(client), WITHIN_MS)).toBe(status.PERMISSION_DENIED);
    await mesh.intention('web', 'echo', 'allow');
    await until('an answer', async () => ((await client.call()) === 'echo-1' ? true : undefined), WITHIN_MS);
    const stats = await (await fetch(`${echo.adminUrl}/stats`)).text();
    expect(stats).toMatch(/grpc\..*Echo.*Say.*success/);
    expect(mesh.refusals).toEqual([]);
  });

  test('the token of the bootstrap is shown to a Consul with ACLs, over TLS', async () => {
    using directory = temporary('connect-tls');
    const authority = await TestAuthority.make('consul');
    const server = await authority.sign(
      { type: 'dns', value: 'server.dc1.consul' },
      { type: 'ip', value: '127.0.0.1' },
    );
    const file = (name: string, text: string): string => {
      writeFileSync(join(directory.path, name), text);
      return join(directory.path, name);
    };
    const caFile = file('ca.pem', authority.cert);
    const tls = `tls { grpc { cert_file = "${file('s.pem', server.cert)}" key_file = "${file('s-key.pem', server.key)}" } }`;
    const token = 'f1a53b2c-0f3e-4c8a-9d55-0a4a3f1f1c11';
    const acl = `acl { enabled = true default_policy = "deny" tokens { initial_management = "${token}" agent = "${token}" } }`;
    await using mesh = await ConnectMesh.start({ hcl: [tls, acl], token, caFile });
    for (const name of ['web', 'api']) await mesh.entry('service-defaults', name, { Protocol: 'http' });
    await mesh.add({ service: 'api', instance: 'api-1' });
    const web = await mesh.add({ service: 'web', instance: 'web-1', upstreams: ['api'] });
    await mesh.intention('web', 'api', 'allow');
    const port = web.upstreamPort('api');
    await until('an answer', async () => ((await ask({ port })).status === 200 ? true : undefined), WITHIN_MS);
    expect(web.bootstrap).toContain(token);
    // Neither log nor admin interface tells it on.
    expect(web.sidecar?.output).not.toContain(token);
    expect(await (await fetch(`${web.adminUrl}/config_dump`)).text()).not.toContain(token);
    expect(mesh.refusals).toEqual([]);
  });

  test('what is not supported is refused by name, and all else of the same sidecar runs', async () => {
    await using mesh = await ConnectMesh.start();
    for (const name of ['web', 'api']) await mesh.entry('service-defaults', name, { Protocol: 'http' });
    await mesh.add({ service: 'api', instance: 'api-1' });
    const web = await mesh.add({ service: 'web', instance: 'web-1', upstreams: ['api'] });
    const port = web.upstreamPort('api');
    await until('an answer', async () => ((await ask({ port })).status === 200 ? true : undefined), WITHIN_MS);
    const Arguments = { ProxyType: 'connect-proxy', Listener: 'inbound', Script: 'function envoy_on_request() end' };
    const EnvoyExtensions = [{ Name: 'builtin/lua', Required: true, Arguments }];
    await mesh.entry('service-defaults', 'web', { Protocol: 'http', EnvoyExtensions });
    const refused = await until('the refusals', () =>
      mesh.refusals.length >= 1 ? mesh.refusals.join('\n') : undefined,
    );
    expect(refused).toMatch(/public_listener\S*: .*lua/i);
    // Consul's own log has them too.
    expect(mesh.consul.output).toMatch(/filters\.http\.lua/);
    expect((await ask({ port })).status).toBe(200);
  });

  test('checks behind a sidecar pass, at a port that takes connections from the addresses of the agent alone', async () => {
    const exposedPort = await freePort();
    const range = `ports { expose_min_port = ${exposedPort} expose_max_port = ${exposedPort + 1} }`;
    await using mesh = await ConnectMesh.start({ hcl: [range] });
    const api = await mesh.add({
      service: 'api',
      instance: 'api-1',
      proxy: { Expose: { Checks: true } },
      checks: (port) => [{ CheckID: 'ready', HTTP: `http://127.0.0.1:${port}/ready`, Interval: '1s' }],
    });
    const passed = await until(
      'the check to pass through the sidecar',
      async () => {
        const answer = await fetch(`${mesh.consul.httpAddress}/v1/agent/checks?filter=CheckID==ready`);
        const text = await answer.text();
        return text.includes(`:${exposedPort}/ready: 200 OK`) ? text : undefined;
      },
      WITHIN_MS,
    );
    expect(passed).toMatch(/"Status": *"passing"/);
    const { origin } = await ask({ port: exposedPort, path: '/ready' });
    expect([origin.instance, origin.url]).toEqual(['api-1', '/ready']);
    const dump = await (await fetch(`${api.adminUrl}/config_dump`)).text();
    expect(dump).toMatch(/source_?prefix_?ranges/i);
    expect(mesh.refusals).toEqual([]);
  });

  test('TCP passes both sidecars, and a denied connection is closed before a byte of the application', async () => {
    await using mesh = await ConnectMesh.start();
    await using echo = await startEcho();
    await mesh.add({ service: 'db', instance: 'db-1', appPort: echo.port });
    const web = await mesh.add({ service: 'web', instance: 'web-1', upstreams: ['db'] });
    const port = web.upstreamPort('db');
    const becomes = (answer: string): Promise<true> =>
      until(
        `the answer ${JSON.stringify(answer)}`,
        async () => ((await exchange(port)) === answer ? true : undefined),
        WITHIN_MS,
      );
    await becomes('ping');
    await mesh.intention('web', 'db', 'deny');
    await becomes('');
    await mesh.intention('web', 'db', 'allow');
    await becomes('ping');
    expect(mesh.refusals).toEqual([]);
  });
});

function temporary(name: string): Disposable & { readonly path: string } {
  const directory = makeTempDirectory(name);
  return { path: directory.path, [Symbol.dispose]: () => directory.remove() };
}

interface Echo extends AsyncDisposable {
  readonly port: number;
}

async function startEcho(): Promise<Echo> {
  const server: Server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.close();
    },
  };
}

/** What comes back for `ping`; empty where the connection ends first. */
function exchange(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.end('ping'));
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(text));
  });
}

/** The status of a call; undefined while Consul has not found the instance healthy. */
async function outcomeOf(client: EchoClient): Promise<number | undefined> {
  try {
    await client.call();
    return status.OK;
  } catch (error) {
    const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined;
    if (typeof code !== 'number') throw error;
    return code === status.UNAVAILABLE ? undefined : code;
  }
}
