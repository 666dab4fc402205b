import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type ChildProgram, weft } from '../../../../mesh/support/child-program.ts';
import { freePort } from '../../../../mesh/support/free-ports.ts';
import { type Origin, startOrigin } from '../../../../mesh/support/origin.ts';
import { type ConsulAgent, startConsul } from '../../../support/consul.ts';
import { requirePeer } from '../../../support/peer.ts';
import { makeTempDirectory } from '../../../support/temp-directory.ts';
import { consulPut } from './consul-world.ts';

const run = promisify(execFile);
const CONFIG_WITHIN = '60s';

export interface ConnectMeshOptions {
  /** Pieces of agent configuration. */
  readonly hcl?: readonly string[];
  /** Of the authority that signed Consul's certificate: sidecars then speak TLS to it. */
  readonly caFile?: string;
  /** With which everything is asked, and which ends up in the bootstraps. */
  readonly token?: string;
  /** Starts each sidecar, as another user for example. */
  readonly sidecarStartedBy?: readonly string[];
}

/** What no intention allows is denied, as with ACLs that deny. */
export const DENIES_BY_DEFAULT: ConnectMeshOptions = { hcl: ['default_intention_policy = "deny"'] };

export interface ServiceOptions {
  readonly service: string;
  /** `web-1`; its sidecar is `web-1-sidecar-proxy`. */
  readonly instance: string;
  readonly upstreams?: readonly string[];
  /** Where the application listens; absent: an HTTP application of the mesh's own. */
  readonly appPort?: number;
  readonly meta?: Readonly<Record<string, string>>;
  /** Of the instance and its sidecar; absent: 127.0.0.1. */
  readonly address?: string;
  /** Of the instance, by the port of its application. */
  readonly checks?: (appPort: number) => readonly object[];
  /** More of the sidecar's `Proxy` block. */
  readonly proxy?: object;
  /** `false` leaves the sidecar to the test. */
  readonly startsSidecar?: boolean;
}

export interface ConnectService {
  readonly instance: string;
  readonly inboundPort: number;
  /** The bootstrap as Consul printed it. */
  readonly bootstrap: string;
  readonly app: Origin | undefined;
  /** Undefined where the test starts its own. */
  readonly sidecar: ChildProgram | undefined;
  readonly adminUrl: string;
  upstreamPort(service: string): number;
}

/** Applications with our sidecars, under the control plane that Consul has of its own. No program of ours beside them. */
export class ConnectMesh implements AsyncDisposable {
  readonly consul: ConsulAgent;
  readonly #token: string;
  readonly #caFile: string | undefined;
  readonly #sidecarStartedBy: readonly string[];
  readonly #directory = makeTempDirectory('connect-mesh');
  readonly #sidecars: ChildProgram[] = [];
  readonly #apps: Origin[] = [];

  private constructor(consul: ConsulAgent, { token = '', caFile, sidecarStartedBy = [] }: ConnectMeshOptions) {
    this.consul = consul;
    this.#token = token;
    this.#caFile = caFile;
    this.#sidecarStartedBy = sidecarStartedBy;
  }

  static async start(options: ConnectMeshOptions = {}): Promise<ConnectMesh> {
    const { hcl = [], caFile } = options;
    return new ConnectMesh(await startConsul({ hcl, grpcTls: caFile !== undefined }), options);
  }

  put(path: string, body: object): Promise<void> {
    return consulPut(this.consul, path, body, this.#token);
  }

  entry(kind: string, name: string, fields: object): Promise<void> {
    return this.put('/v1/config', { Kind: kind, Name: name, ...fields });
  }

  /** Takes the sidecar of an instance out of service, or puts it back. */
  maintenance(instance: string, enable: boolean): Promise<void> {
    return this.put(`/v1/agent/service/maintenance/${instance}-sidecar-proxy?enable=${enable}`, {});
  }

  /** `allow` or `deny` from one service to another. */
  intention(source: string, destination: string, action: 'allow' | 'deny'): Promise<void> {
    return this.entry('service-intentions', destination, { Sources: [{ Name: source, Action: action }] });
  }

  async add(options: ServiceOptions): Promise<ConnectService> {
    const { service, instance, upstreams = [], meta = {}, proxy = {}, startsSidecar = true } = options;
    const { address = '127.0.0.1', checks = () => [] } = options;
    const app = options.appPort === undefined ? await startOrigin({ service, instance }) : undefined;
    if (app !== undefined) this.#apps.push(app);
    const appPort = options.appPort ?? app?.port ?? 0;
    const inboundPort = await freePort();
    const ports = new Map<string, number>();
    for (const upstream of upstreams) ports.set(upstream, await freePort());
    await this.put('/v1/agent/service/register', {
      Name: service,
      ID: instance,
      Address: address,
      Port: appPort,
      Meta: meta,
      Checks: checks(appPort),
      Connect: {
        SidecarService: {
          Port: inboundPort,
          // Consul would probe the address once in ten seconds, and holds the instance for dead until it answers.
          Checks: [{ TCP: `${address}:${inboundPort}`, Interval: '250ms', Timeout: '10s' }],
          Proxy: {
            ...proxy,
            Upstreams: upstreams.map((name) => ({ DestinationName: name, LocalBindPort: ports.get(name) ?? 0 })),
          },
        },
      },
    });
    const bootstrap = await this.#printBootstrap(instance);
    const file = join(this.#directory.path, `${instance}.json`);
    writeFileSync(file, bootstrap);
    const sidecar = startsSidecar ? this.#startSidecar(file) : undefined;
    const said = await sidecar?.said(/admin on (http:\S+)/, 60_000);
    return {
      instance,
      inboundPort,
      bootstrap,
      app,
      sidecar,
      adminUrl: said?.[1] ?? '',
      upstreamPort: (name) => ports.get(name) ?? 0,
    };
  }

  /** What our sidecars said of resources that they refuse, or of which they do not know a part. */
  get refusals(): readonly string[] {
    const lines = this.#sidecars.flatMap(({ output }) => output.split('\n'));
    return lines.filter((line) => /refused resources|does not know/.test(line));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#sidecars.map((sidecar) => sidecar[Symbol.asyncDispose]()));
    await Promise.all(this.#apps.map((app) => app.stop()));
    await this.consul.stop();
    this.#directory.remove();
  }

  /** What `consul connect envoy -bootstrap` prints, not a word of ours in it. */
  async #printBootstrap(instance: string): Promise<string> {
    const toConsul =
      this.#caFile === undefined
        ? ['-grpc-addr', this.consul.grpcAddress]
        : ['-grpc-addr', `https://${this.consul.grpcTlsAddress}`, '-grpc-ca-file', this.#caFile];
    const args = ['connect', 'envoy', '-bootstrap', '-sidecar-for', instance, ...toConsul];
    const env = { ...process.env, CONSUL_HTTP_ADDR: this.consul.httpAddress, CONSUL_HTTP_TOKEN: this.#token };
    const { stdout } = await run(requirePeer('consul'), args, { env, timeout: 20_000 });
    return stdout;
  }

  #startSidecar(file: string): ChildProgram {
    const args = ['--admin', '127.0.0.1:0', '--concurrency', '1', '--no-state', '--wait-for-config', CONFIG_WITHIN];
    const env = { OTEL_TRACES_EXPORTER: 'none' };
    const sidecar = weft(['sidecar', '--bootstrap', file, ...args], env, this.#sidecarStartedBy);
    this.#sidecars.push(sidecar);
    return sidecar;
  }
}
