import { rmSync } from 'node:fs';
import type { Overview } from '../../../src/control/console/views.ts';
import { type ChildProgram, weft } from '../../mesh/support/child-program.ts';
import { freePort } from '../../mesh/support/free-ports.ts';
import { type Origin, startOrigin } from '../../mesh/support/origin.ts';
import { until } from '../../mesh/support/waiting.ts';
import { makeTempDirectory } from '../support/temp-directory.ts';

export interface ConsulMeshOptions {
  /** All that the control server is told, most wanted first. */
  readonly consulUrls: readonly string[];
  /** The agent that services register with. */
  readonly agentUrl: string;
  /** What the control server is told beside the addresses (`CONSUL_HTTP_TOKEN`). */
  readonly controlEnvironment?: Readonly<Record<string, string>>;
  /** Further options of `weft control`. */
  readonly controlArgs?: readonly string[];
  /** With which services register, where Consul demands one. */
  readonly agentToken?: string;
}

const CHECK_TIMES = { Interval: '1s', Timeout: '10s' };

/** `caller` calls `api` through two sidecars, over a control server that knows several Consul servers. */
export class ConsulMesh implements AsyncDisposable {
  readonly control: ChildProgram;
  readonly upstreamPort: number;
  readonly #options: ConsulMeshOptions;
  readonly #directory = makeTempDirectory('consul-mesh');
  readonly #programs: ChildProgram[] = [];
  readonly #apps: Origin[] = [];
  #xdsPort = 0;
  #consolePort = 0;

  private constructor(options: ConsulMeshOptions, upstreamPort: number) {
    this.#options = options;
    this.upstreamPort = upstreamPort;
    const args = ['--port', '0', '--console-port', '0', ...(options.controlArgs ?? [])];
    this.control = this.#start(
      ['control', '--consul', options.consulUrls.join(','), ...args],
      options.controlEnvironment,
    );
  }

  /** Resolves when the first call passes. */
  static async start(options: ConsulMeshOptions): Promise<ConsulMesh> {
    const mesh = new ConsulMesh(options, await freePort());
    try {
      const [, xds, web] = await mesh.control.said(/xDS on \S+:(\d+), console on http:\S+:(\d+)/);
      mesh.#xdsPort = Number(xds);
      mesh.#consolePort = Number(web);
      await mesh.put('/v1/config', { Kind: 'proxy-defaults', Name: 'global', Config: { protocol: 'http' } });
      await mesh.addApi('api-1');
      await mesh.#addCaller();
      await until('the first call', async () => {
        const answer = await fetch(`http://127.0.0.1:${mesh.upstreamPort}/`, { signal: AbortSignal.timeout(5_000) });
        await answer.text();
        return answer.status === 200 ? true : undefined;
      });
      return mesh;
    } catch (error) {
      await mesh[Symbol.asyncDispose]();
      throw error;
    }
  }

  async put(path: string, body: unknown): Promise<void> {
    const url = `${this.#options.agentUrl}${path}`;
    const response = await fetch(url, {
      method: 'PUT',
      headers: this.#options.agentToken === undefined ? {} : { 'x-consul-token': this.#options.agentToken },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(10_000),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`PUT ${path}: ${response.status} ${text}`);
  }

  async overview(): Promise<Overview> {
    const url = `http://127.0.0.1:${this.#consolePort}/api/overview`;
    return (await (await fetch(url, { signal: AbortSignal.timeout(20_000) })).json()) as Overview;
  }

  async metric(name: string): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${this.#consolePort}/metrics`)).text();
    return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
  }

  /** One more instance of `api`, with its sidecar. */
  async addApi(id: string): Promise<void> {
    await this.#add('api', id, await this.startApp('api', id), []);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#programs.map((program) => program[Symbol.asyncDispose]()));
    await Promise.all(this.#apps.map((app) => app.stop()));
    rmSync(this.#directory.path, { recursive: true, force: true });
  }

  /** A program of its own, beside which there is no sidecar; its port. */
  async startApp(service: string, instance: string): Promise<number> {
    const app = await startOrigin({ service, instance });
    this.#apps.push(app);
    return app.port;
  }

  get directory(): string {
    return this.#directory.path;
  }

  async #addCaller(): Promise<void> {
    await this.#add('caller', 'caller-1', 0, [{ DestinationName: 'api', LocalBindPort: this.upstreamPort }]);
  }

  async #add(name: string, id: string, port: number, upstreams: readonly object[]): Promise<void> {
    const inboundPort = await freePort();
    await this.put('/v1/agent/service/register', {
      Name: name,
      ID: id,
      Address: '127.0.0.1',
      Port: port,
      Connect: {
        SidecarService: {
          Port: inboundPort,
          Checks: [{ TCP: `127.0.0.1:${inboundPort}`, ...CHECK_TIMES, Status: 'passing' }],
          Proxy: { Upstreams: upstreams, ...(port === 0 ? { LocalServicePort: 1 } : {}) },
        },
      },
    });
    await this.startSidecar(`${id}-sidecar-proxy`, 1);
  }

  /** The sidecar of a registration that is there already. */
  async startSidecar(proxyId: string, concurrency: number): Promise<void> {
    const sidecar = this.#start([
      ...['sidecar', '--proxy-id', proxyId, '--control', `127.0.0.1:${this.#xdsPort}`],
      ...['--admin', '127.0.0.1:0', '--concurrency', String(concurrency), '--drain-timeout', '1s'],
      ...['--state-dir', this.#directory.path],
    ]);
    await sidecar.said(/admin on (http:\S+)/);
  }

  #start(args: readonly string[], environment: Readonly<Record<string, string>> = {}): ChildProgram {
    const program = weft(args, { OTEL_TRACES_EXPORTER: 'none', ...environment });
    this.#programs.push(program);
    return program;
  }
}
