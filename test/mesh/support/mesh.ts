import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Overview } from '../../../src/control/console/views.ts';
import { ChildProgram, weft } from './child-program.ts';
import { freePort } from './free-ports.ts';
import { type Origin, startOrigin } from './origin.ts';

const ORIGIN_MAIN = fileURLToPath(new URL('./origin-main.ts', import.meta.url));
/** A dead program refuses at once; only a busy machine is slow, and that must not look like death. */
const CHECK_TIMES = { Interval: '250ms', Timeout: '10s' };

export interface MeshOptions {
  /** A Consul that runs already; absent: a registry of the mesh's own. */
  readonly consulUrl?: string;
  /** Where sidecars send their spans; absent: nowhere. */
  readonly otlp?: { readonly http: string; readonly grpc: string };
  /** `off` where nothing is said. */
  readonly mutualTls?: 'permissive' | 'strict';
}

export interface InstanceOptions {
  readonly service: string;
  /** `web-1`; its sidecar is `web-1-sidecar-proxy`. */
  readonly instance: string;
  readonly upstreams?: readonly string[];
  /** Call every upstream at the same time for each request. */
  readonly callsUpstreams?: boolean;
  readonly delayMs?: number;
  /** The application in a process of its own, so that it can be killed. */
  readonly ownProcess?: boolean;
  readonly otlpProtocol?: 'grpc' | 'http/protobuf';
}

/** One instance of a service: its application, its registration and, once started, its sidecar. */
export interface Instance {
  readonly id: string;
  readonly proxyId: string;
  readonly appPort: number;
  readonly inboundPort: number;
  /** The application, in this process or in its own. */
  readonly app: Origin | ChildProgram;
  sidecar: ChildProgram;
  /** Base URL of the sidecar's admin interface. */
  adminUrl: string;
  upstreamPort(service: string): number;
  /** Registers it (again), as `add` did. */
  register(): Promise<void>;
  /** Starts the sidecar again, as after a crash: the same id, ports and state folder. */
  restartSidecar(): Promise<void>;
}

/** Real programs on one machine: a registry, a control server, and applications with their sidecars. */
export class Mesh implements AsyncDisposable {
  /** Undefined where somebody else's Consul is used. */
  readonly registry: ChildProgram | undefined;
  readonly registryUrl: string;
  control: ChildProgram;
  xdsPort = 0;
  consolePort = 0;
  readonly #options: MeshOptions;
  readonly #stateDirectory = mkdtempSync(join(tmpdir(), 'weft-mesh-'));
  readonly #instances: Instance[] = [];

  private constructor(options: MeshOptions, registry: ChildProgram | undefined, registryUrl: string) {
    this.#options = options;
    this.registry = registry;
    this.registryUrl = registryUrl;
    this.control = this.#spawnControl();
  }

  static async start(options: MeshOptions = {}): Promise<Mesh> {
    const registry = options.consulUrl === undefined ? weft(['registry', '--port', '0']) : undefined;
    const said = await registry?.said(/HTTP API on (http:\S+)/);
    const mesh = new Mesh(options, registry, options.consulUrl ?? said?.[1] ?? '');
    try {
      await mesh.#controlServes();
      return mesh;
    } catch (error) {
      await mesh[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** A request to the registry, as any user's. */
  async registryPut(path: string, body: unknown): Promise<void> {
    const response = await fetch(`${this.registryUrl}${path}`, { method: 'PUT', body: JSON.stringify(body) });
    const text = await response.text();
    if (!response.ok) throw new Error(`PUT ${path}: ${response.status} ${text}`);
  }

  /** What the control server's console says now. */
  async overview(): Promise<Overview> {
    const response = await fetch(`http://127.0.0.1:${this.consolePort}/api/overview`);
    return (await response.json()) as Overview;
  }

  /** Starts the application, registers it with its sidecar, and starts the sidecar. */
  async add(options: InstanceOptions): Promise<Instance> {
    const instance = await this.#register(options);
    this.#instances.push(instance);
    await instance.restartSidecar();
    return instance;
  }

  /** At the address where it was before. */
  async restartControl(): Promise<void> {
    this.control = this.#spawnControl();
    await this.#controlServes();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const programs = this.#instances.flatMap(({ app, sidecar }) => [sidecar, app]);
    await Promise.all([...programs, this.control].map((program) => ended(program)));
    await this.registry?.[Symbol.asyncDispose]();
    rmSync(this.#stateDirectory, { recursive: true, force: true });
  }

  async #register(options: InstanceOptions): Promise<Instance> {
    const { service, instance, upstreams = [] } = options;
    const upstreamPorts = new Map<string, number>();
    for (const name of upstreams) upstreamPorts.set(name, await freePort());
    const inboundPort = await freePort();
    const { app, appPort } = await startApp(options, [...upstreamPorts.values()]);
    const registration = {
      Name: service,
      ID: instance,
      Address: '127.0.0.1',
      Port: appPort,
      Check: { TCP: `127.0.0.1:${appPort}`, ...CHECK_TIMES, Status: 'passing' },
      Connect: {
        SidecarService: {
          Port: inboundPort,
          Checks: [{ TCP: `127.0.0.1:${inboundPort}`, ...CHECK_TIMES, Status: 'passing' }],
          Proxy: {
            Upstreams: upstreams.map((name) => ({
              DestinationName: name,
              LocalBindPort: upstreamPorts.get(name) ?? 0,
            })),
          },
        },
      },
    };
    const register = (): Promise<void> => this.registryPut('/v1/agent/service/register', registration);
    await register();
    const proxyId = `${instance}-sidecar-proxy`;
    const start = (): ChildProgram => this.#spawnSidecar(options, proxyId);
    const registered: Instance = {
      id: instance,
      proxyId,
      appPort,
      inboundPort,
      app,
      sidecar: start(),
      adminUrl: '',
      upstreamPort: (name) => upstreamPorts.get(name) ?? 0,
      register,
      async restartSidecar() {
        if (registered.sidecar.isGone) registered.sidecar = start();
        const [, url = ''] = await registered.sidecar.said(/admin on (http:\S+)/);
        registered.adminUrl = url;
      },
    };
    return registered;
  }

  #spawnSidecar({ service, otlpProtocol = 'http/protobuf' }: InstanceOptions, proxyId: string): ChildProgram {
    const { otlp } = this.#options;
    const args = [
      ...['sidecar', '--proxy-id', proxyId, '--service', service, '--control', `127.0.0.1:${this.xdsPort}`],
      ...['--admin', '127.0.0.1:0', '--concurrency', '1', '--drain-timeout', '1s'],
      ...['--state-dir', this.#stateDirectory],
    ];
    return weft(args, {
      ...(otlp === undefined
        ? { OTEL_TRACES_EXPORTER: 'none' }
        : {
            OTEL_EXPORTER_OTLP_ENDPOINT: otlpProtocol === 'grpc' ? otlp.grpc : otlp.http,
            OTEL_EXPORTER_OTLP_PROTOCOL: otlpProtocol,
            OTEL_BSP_SCHEDULE_DELAY: '100',
          }),
    });
  }

  #spawnControl(): ChildProgram {
    return weft([
      ...['control', '--consul', this.registryUrl],
      ...['--port', String(this.xdsPort), '--console-port', String(this.consolePort)],
      ...(this.#options.mutualTls === undefined ? [] : ['--mtls', this.#options.mutualTls]),
    ]);
  }

  async #controlServes(): Promise<void> {
    const [, xds, web] = await this.control.said(/xDS on \S+:(\d+), console on http:\S+:(\d+)/);
    this.xdsPort = Number(xds);
    this.consolePort = Number(web);
  }
}

/** Everything of it at once, however it feels. */
async function ended(program: ChildProgram | Origin): Promise<void> {
  if (program instanceof ChildProgram) await program[Symbol.asyncDispose]();
  else await program.stop();
}

async function startApp(
  { service, instance, callsUpstreams = false, delayMs = 0, ownProcess = false }: InstanceOptions,
  upstreamPorts: readonly number[],
): Promise<{ readonly app: Origin | ChildProgram; readonly appPort: number }> {
  const options = { service, instance, delayMs, calls: callsUpstreams ? upstreamPorts : [] };
  if (!ownProcess) {
    const app = await startOrigin(options);
    return { app, appPort: app.port };
  }
  const app = new ChildProgram({ name: `application ${instance}`, args: [ORIGIN_MAIN, JSON.stringify(options)] });
  const [, port] = await app.said(/listening on (\d+)/);
  return { app, appPort: Number(port) };
}
