import { request } from 'undici';
import { type Registry, type RegistryOptions, startRegistry } from '../../registry/registry.ts';
import { Logs } from '../../telemetry/log/log.ts';
import { type ControlOptions, type RunningControl, startControl } from '../control.ts';
import { AdsProbe } from './ads-probe.ts';

/** A registry, control servers and probes of one test, all of which end with it. */
export class Mesh {
  registry: Registry;
  readonly logLines: string[] = [];
  readonly #controls: RunningControl[] = [];
  readonly #probes: AdsProbe[] = [];

  private constructor(registry: Registry) {
    this.registry = registry;
  }

  static async start(options: RegistryOptions = {}): Promise<Mesh> {
    return new Mesh(await startRegistry({ port: 0, ...options }));
  }

  async control(options: Partial<ControlOptions> = {}): Promise<RunningControl> {
    const logs = new Logs({ level: 'info', format: 'json', write: (line) => this.logLines.push(line) });
    const control = await startControl({
      consul: { addresses: [this.registry.url] },
      xdsPort: 0,
      consolePort: 0,
      log: logs.root,
      ...options,
    });
    this.#controls.push(control);
    return control;
  }

  connect(control: RunningControl, nodeId: string, isDelta = false): AdsProbe {
    const probe = new AdsProbe(control.xdsPort, nodeId, isDelta);
    this.#probes.push(probe);
    return probe;
  }

  async put(path: string, body: unknown = ''): Promise<void> {
    await this.#send('PUT', path, JSON.stringify(body));
  }

  async post(path: string, body: unknown): Promise<void> {
    await this.#send('POST', path, JSON.stringify(body));
  }

  async delete(path: string): Promise<void> {
    await this.#send('DELETE', path, null);
  }

  /** A connection of its own each time: a kept one may be closed by the fault a test has just ended. */
  async #send(method: 'PUT' | 'POST' | 'DELETE', path: string, body: string | null): Promise<void> {
    const response = await request(`${this.registry.url}${path}`, { method, body, reset: true });
    const answer = await response.body.text();
    if (response.statusCode !== 200) throw new Error(`${method} ${path}: ${response.statusCode} ${answer}`);
  }

  /** Registers a service with a sidecar, both with TTL checks that the test passes and fails. */
  async register(name: string, port: number, upstreams: readonly Upstream[] = [], extra: object = {}): Promise<void> {
    const id = `${name}-${port}`;
    await this.put('/v1/agent/service/register', {
      Name: name,
      ID: id,
      Port: port,
      Address: '127.0.0.1',
      Check: { CheckID: `ttl:${id}`, TTL: '10m', Status: 'passing' },
      Connect: {
        SidecarService: {
          Port: port + 10_000,
          Address: '127.0.0.1',
          Checks: [{ CheckID: `ttl:${id}-sidecar`, TTL: '10m', Status: 'passing' }],
          Proxy: {
            LocalServiceAddress: '127.0.0.1',
            LocalServicePort: port,
            Upstreams: upstreams.map(([destination, bindPort, config]) => ({
              DestinationName: destination,
              LocalBindPort: bindPort,
              Config: config ?? {},
            })),
          },
        },
      },
      ...extra,
    });
  }

  /** As after a crash: the same address, and nothing remembered. */
  async restartRegistry(port: number): Promise<void> {
    this.registry = await startRegistry({ port });
  }

  async stop(): Promise<void> {
    for (const probe of this.#probes) probe.stop();
    for (const control of this.#controls) await control.stop();
    await this.registry.stop();
  }
}

type Upstream = readonly [destination: string, bindPort: number, config?: Readonly<Record<string, unknown>>];
