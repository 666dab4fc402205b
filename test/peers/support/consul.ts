import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { pickFreePorts, retryOnPortClash } from './free-ports.ts';
import { requirePeer } from './peer.ts';
import { answersOk, PeerProcess } from './peer-process.ts';
import { makeTempDirectory, type TempDirectory } from './temp-directory.ts';

const LOOPBACK = '127.0.0.1';
const READY_WITHIN_MS = 60_000;
const CLUSTER_SIZE_MAX = 9;

export interface ConsulOptions {
  /** Pieces of agent configuration in HCL, merged over ours in order. */
  readonly hcl?: readonly string[];
  /** Further options of the command line, which count before ours. */
  readonly args?: readonly string[];
  /** Also serve the HTTP API over TLS; the certificate is among `hcl`. */
  readonly https?: boolean;
  /** Also serve xDS over TLS; the certificate is among `hcl`. */
  readonly grpcTls?: boolean;
}

type ConsulPorts = Awaited<ReturnType<typeof pickConsulPorts>>;

const pickConsulPorts = () => pickFreePorts('http', 'https', 'grpc', 'grpcTls', 'dns', 'serfLan', 'server');

/** A Consul agent that can be ended and started again on the same ports with the same data. */
export class ConsulAgent implements AsyncDisposable {
  readonly nodeName: string;
  readonly #ports: ConsulPorts;
  readonly #args: readonly string[];
  #process: PeerProcess | undefined;

  constructor(nodeName: string, ports: ConsulPorts, args: readonly string[]) {
    this.nodeName = nodeName;
    this.#ports = ports;
    this.#args = args;
  }

  /** The base URL of the HTTP API. */
  get httpAddress(): string {
    return `http://${LOOPBACK}:${this.#ports.http}`;
  }

  /** The base URL of the HTTP API over TLS. */
  get httpsAddress(): string {
    return `https://${LOOPBACK}:${this.#ports.https}`;
  }

  /** host:port of the gRPC listener, which serves Consul's own xDS. */
  get grpcAddress(): string {
    return `${LOOPBACK}:${this.#ports.grpc}`;
  }

  /** host:port of the gRPC listener over TLS. */
  get grpcTlsAddress(): string {
    return `${LOOPBACK}:${this.#ports.grpcTls}`;
  }

  /** host:port of the DNS server, TCP and UDP. */
  get dnsAddress(): string {
    return `${LOOPBACK}:${this.#ports.dns}`;
  }

  get serfLanAddress(): string {
    return `${LOOPBACK}:${this.#ports.serfLan}`;
  }

  /** host:port of Consul's internal RPC; `status/leader` answers with the leader's. */
  get serverAddress(): string {
    return `${LOOPBACK}:${this.#ports.server}`;
  }

  get output(): string {
    return this.#process?.output ?? '';
  }

  /** Starts the agent and waits until it has a leader and its mesh CA has made a root. */
  async start(): Promise<void> {
    this.#process = await PeerProcess.start({
      name: `consul agent ${this.nodeName}`,
      command: requirePeer('consul'),
      args: ['agent', ...portArgs(this.#ports), ...this.#args],
      // A proxy or token of the developer's own must not reach the agent.
      env: { CONSUL_HTTP_ADDR: '', CONSUL_HTTP_TOKEN: '' },
      isReady: () => answersOk(`${this.httpAddress}/v1/connect/ca/roots`),
      readyWithinMs: READY_WITHIN_MS,
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#process?.signal(signal);
  }

  async stop(): Promise<void> {
    await this.#process?.stop();
  }

  async crash(): Promise<void> {
    await this.#process?.crash();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** A development agent, which is server and client in one. */
export async function startConsul({
  hcl = [],
  args = [],
  https = false,
  grpcTls = false,
}: ConsulOptions = {}): Promise<ConsulAgent> {
  const own = ['-dev', '-node=dev', `-bind=${LOOPBACK}`, `-client=${LOOPBACK}`, '-log-level=info', ...hclArgs(hcl)];
  return retryOnPortClash(async () => {
    const ports = await pickConsulPorts();
    const overTls = [
      ...(https ? [`-https-port=${ports.https}`] : []),
      ...(grpcTls ? [`-grpc-tls-port=${ports.grpcTls}`] : []),
    ];
    const agent = new ConsulAgent('dev', ports, [...own, ...overTls, ...args]);
    await agent.start();
    return agent;
  });
}

export class ConsulCluster implements AsyncDisposable {
  readonly servers: readonly ConsulAgent[];
  readonly #directory: TempDirectory;

  constructor(servers: readonly ConsulAgent[], directory: TempDirectory) {
    this.servers = servers;
    this.#directory = directory;
  }

  /** The server that the one at `askedAddress` holds for the leader, or undefined during an election. */
  async leader(askedAddress?: string): Promise<ConsulAgent | undefined> {
    const address = askedAddress ?? this.servers[0]?.httpAddress;
    const response = await fetch(`${address}/v1/status/leader`, { signal: AbortSignal.timeout(5_000) });
    const leaderAddress: unknown = await response.json();
    return this.servers.find((server) => server.serverAddress === leaderAddress);
  }

  async stop(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.stop()));
    this.#directory.remove();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** Servers that elect a leader among them, with raft on disk, so that one can crash and come back. */
export async function startConsulCluster(size: number, { hcl = [] }: ConsulOptions = {}): Promise<ConsulCluster> {
  if (!Number.isInteger(size) || size < 1 || size > CLUSTER_SIZE_MAX) throw new RangeError(`cluster size ${size}`);
  return retryOnPortClash(() => startServers(size, hcl));
}

async function startServers(size: number, hcl: readonly string[]): Promise<ConsulCluster> {
  const directory = makeTempDirectory('consul');
  const ports = await Promise.all(Array.from({ length: size }, pickConsulPorts));
  const joins = ports.map(({ serfLan }) => `-retry-join=${LOOPBACK}:${serfLan}`);
  const servers = ports.map((own, index) => {
    const nodeName = `server-${index + 1}`;
    const dataDirectory = join(directory.path, nodeName);
    mkdirSync(dataDirectory);
    return new ConsulAgent(nodeName, own, [
      ...['-server', `-bootstrap-expect=${size}`, `-node=${nodeName}`, `-data-dir=${dataDirectory}`],
      ...[`-bind=${LOOPBACK}`, `-client=${LOOPBACK}`, '-log-level=info', '-retry-interval=1s', ...joins],
      ...hclArgs(['connect { enabled = true } performance { raft_multiplier = 1 }', ...hcl]),
    ]);
  });
  const cluster = new ConsulCluster(servers, directory);
  const starts = await Promise.allSettled(servers.map((server) => server.start()));
  const failure = starts.find((start) => start.status === 'rejected');
  if (failure === undefined) return cluster;
  await cluster.stop();
  throw failure.reason;
}

function portArgs(ports: ConsulPorts): string[] {
  return [
    ...[`-http-port=${ports.http}`, `-grpc-port=${ports.grpc}`, `-dns-port=${ports.dns}`],
    ...[`-serf-lan-port=${ports.serfLan}`, `-server-port=${ports.server}`],
    // Not needed by anything of ours, and every open port is one that can clash.
    ...['-serf-wan-port=-1', '-grpc-tls-port=-1', '-https-port=-1'],
  ];
}

function hclArgs(hcl: readonly string[]): string[] {
  const quiet = 'disable_update_check = true leave_on_terminate = false';
  return [quiet, ...hcl].map((piece) => `-hcl=${piece}`);
}
