import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LOAD_CORE, PROXY_CORE } from './options.ts';
import { memoryUsage } from './process-usage.ts';
import { freePort, startPinned } from './program.ts';

const PROGRAM = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const APP = fileURLToPath(new URL('../../test/conformance/http2/app-program.ts', import.meta.url));
const EXTENSIONS = 'envoy.extensions';
const TYPE = `type.googleapis.com/${EXTENSIONS}`;
const STAT_PREFIX = 'attacked';

/** A sidecar with an app behind it that tests of attacks know, and a host under `/mute/` that never says a word. */
export interface AttackedSidecar {
  readonly port: number;
  rssMb(): number;
  /** How often streams or connections of HTTP/2 have ended so far for any of these reasons. */
  count(reasons: readonly string[]): Promise<number>;
  stop(): Promise<void>;
}

export async function startAttackedSidecar(): Promise<AttackedSidecar> {
  const app = spawn('taskset', ['-c', String(LOAD_CORE), process.execPath, APP], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const mute = new MuteHost();
  const folder = mkdtempSync(join(tmpdir(), 'weft-attacks-'));
  const config = join(folder, 'bootstrap.json');
  const [port, admin] = [await freePort(), await freePort()];
  writeFileSync(config, JSON.stringify(bootstrap(port, await portOf(app), await mute.listen())));
  const flags = ['--admin', `127.0.0.1:${admin}`, '--concurrency', '1', '--no-state', '--drain-timeout', '100ms'];
  const command = [process.execPath, PROGRAM, 'sidecar', '--bootstrap', config, ...flags, '--log-level', 'error'];
  const program = await startPinned(PROXY_CORE, command, port);
  return {
    port,
    rssMb: () => memoryUsage([program.pid]).rssMb,
    async count(reasons) {
      const names = reasons.map((reason) => `http.${STAT_PREFIX}.downstream_http2_${reason.replaceAll('-', '_')}`);
      const stats = await textOf(`http://127.0.0.1:${admin}/stats`);
      const values = names.map((name) => Number(new RegExp(`^${name}: (\\d+)$`, 'm').exec(stats)?.[1] ?? 0));
      return values.reduce((sum, value) => sum + value, 0);
    },
    async stop() {
      await program.stop();
      app.kill();
      mute.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Takes connections and reads nothing. */
class MuteHost {
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((socket) => {
    socket.on('error', () => undefined);
    this.#sockets.add(socket.pause());
  });

  async listen(): Promise<number> {
    await once(this.#server.listen(0, '127.0.0.1'), 'listening');
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}

async function portOf({ stdout }: ChildProcess): Promise<number> {
  if (stdout === null) throw new Error('the app says nothing');
  const [line] = (await once(stdout, 'data')) as [Buffer];
  return Number(/listening on (\d+)/.exec(line.toString())?.[1]);
}

function textOf(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get(url, { agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => {
        text += piece;
      });
      response.on('end', () => resolve(text));
    }).on('error', reject);
  });
}

function bootstrap(port: number, appPort: number, mutePort: number): unknown {
  const routes = [
    { match: { prefix: '/mute/' }, route: { cluster: 'mute', timeout: '0s' } },
    { match: { prefix: '/' }, route: { cluster: 'web', timeout: '0s' } },
  ];
  const manager = {
    '@type': `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: STAT_PREFIX,
    route_config: { name: 'attacked', virtual_hosts: [{ name: 'attacked', domains: ['*'], routes }] },
    http_filters: [{ name: 'router', typed_config: { '@type': `${TYPE}.filters.http.router.v3.Router` } }],
  };
  const listener = {
    name: 'attacked',
    address: socketAddress(port),
    filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }],
  };
  const speaksHttp2 = {
    '@type': `${TYPE}.upstreams.http.v3.HttpProtocolOptions`,
    explicit_http_config: { http2_protocol_options: {} },
  };
  const http2 = {
    typed_extension_protocol_options: { [`${EXTENSIONS}.upstreams.http.v3.HttpProtocolOptions`]: speaksHttp2 },
  };
  return {
    node: { id: 'attacked', cluster: 'attacked' },
    static_resources: {
      listeners: [listener],
      clusters: [cluster('web', appPort, {}), cluster('mute', mutePort, http2)],
    },
  };
}

function cluster(name: string, port: number, more: Readonly<Record<string, unknown>>): unknown {
  const endpoints = [{ lb_endpoints: [{ endpoint: { address: socketAddress(port) } }] }];
  return { name, type: 'STATIC', connect_timeout: '5s', load_assignment: { cluster_name: name, endpoints }, ...more };
}

function socketAddress(port: number): unknown {
  return { socket_address: { address: '127.0.0.1', port_value: port } };
}
