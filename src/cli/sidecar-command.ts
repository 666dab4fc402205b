import { availableParallelism, homedir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import type { Bootstrap } from '../resource/bootstrap.ts';
import { type ControlTlsOptions, securedServers } from './control-tls.ts';
import { type Environment, otelEnvironment } from './environment.ts';
import { addLogOptions, type LogOptions, logsFrom } from './log-options.ts';
import {
  type HostAndPort,
  parseCount,
  parseDurationMs,
  parseHostAndPort,
  parseHostAndPorts,
} from './option-parsers.ts';
import { runUntilSignal } from './run-until-signal.ts';
import { UsageError } from './usage-error.ts';

interface SidecarOptions extends LogOptions, ControlTlsOptions {
  readonly proxyId: string | undefined;
  readonly service: string | undefined;
  readonly control: readonly HostAndPort[];
  readonly bootstrap: string | undefined;
  readonly admin: HostAndPort | undefined;
  readonly concurrency: number | undefined;
  readonly stateDir: string | undefined;
  readonly state: boolean;
  readonly drainTimeout: number;
  readonly waitForConfig: number | undefined;
}

const DEFAULT_WAIT_FOR_CONFIG_MS = 15_000;
const DEFAULT_ADMIN: HostAndPort = { host: '127.0.0.1', port: 19_000 };

/** `weft sidecar`: the proxy beside one service. */
export function sidecarCommand(environment: Environment): Command {
  const command = new Command('sidecar')
    .description('Run the proxy beside one service, configured by a control server over xDS.')
    .option('--proxy-id <id>', "ID of the sidecar's own registration in Consul, such as web-1-sidecar-proxy")
    .option('--service <name>', 'name of the service in telemetry (default: from the proxy id)')
    .option('--control <host:port,...>', 'control servers in order of preference', parseHostAndPorts, [
      { host: '127.0.0.1', port: 18_000 },
    ])
    .option('--control-ca <file>', 'reach control servers over TLS, and trust these authorities (PEM)')
    .option('--control-cert <file>', 'the certificate that control servers are shown')
    .option('--control-key <file>', 'the private key of --control-cert')
    .option('--bootstrap <file>', 'an Envoy bootstrap (JSON or YAML) instead of --proxy-id and --control')
    .option('--admin <host:port>', 'address of the admin interface (default 127.0.0.1:19000)', parseHostAndPort)
    .option('--concurrency <count>', 'worker threads that carry traffic (default: one for each core)', parseCount)
    .option(
      '--state-dir <folder>',
      'where the last good configuration is kept (default: weft in the user cache folder)',
    )
    .option('--ignore-resource-deletion', 'keep what a control server takes away until it sends another', false)
    .option('--no-state', 'keep no last good configuration on disk')
    .option('--drain-timeout <duration>', 'how long streams may finish after SIGTERM', parseDurationMs, 30_000)
    .option(
      '--wait-for-config <duration>',
      "how long to wait at start for a first configuration (default: the bootstrap's initial_fetch_timeout, else 15s)",
      parseDurationMs,
    );
  return addLogOptions(command).action(async (options: SidecarOptions) => {
    const bootstrap = await bootstrapOf(options, environment);
    const { startSidecar } = await import('../sidecar/sidecar.ts');
    const sidecar = await startSidecar({
      bootstrap,
      telemetryService: options.service ?? serviceOf(bootstrap),
      otel: otelEnvironment(environment),
      waitForConfigMs: options.waitForConfig ?? bootstrap.initialFetchTimeoutMs ?? DEFAULT_WAIT_FOR_CONFIG_MS,
      logs: logsFrom(options),
    });
    process.stderr.write(`weft sidecar ${bootstrap.node.id}: admin on http://${sidecar.adminAddress}\n`);
    await runUntilSignal(sidecar, environment['WEFT_END_WITH_STDIN'] === '1');
  });
}

async function bootstrapOf(options: SidecarOptions, environment: Environment): Promise<Bootstrap> {
  const shared = {
    stateDirectory: options.state ? (options.stateDir ?? defaultStateDirectory(environment)) : undefined,
    concurrency: options.concurrency ?? availableParallelism(),
    drainTimeoutMs: options.drainTimeout,
  };
  const admin = options.admin === undefined ? undefined : ({ kind: 'ip', ...options.admin } as const);
  if (options.bootstrap !== undefined) {
    if (options.proxyId !== undefined)
      throw new UsageError('--bootstrap and --proxy-id exclude each other: the file names the node');
    if (options.controlCa !== undefined || options.controlCert !== undefined)
      throw new UsageError('--bootstrap and --control-ca exclude each other: the file says how servers are reached');
    // The YAML reader and the resource decoders are of use to nobody who starts without a file.
    const { readBootstrapFile } = await import('./bootstrap-file.ts');
    const read = await readBootstrapFile(options.bootstrap);
    return { ...read, ...shared, admin: admin ?? read.admin };
  }
  const id = options.proxyId;
  if (id === undefined || id === '') {
    throw new UsageError(
      "--proxy-id is missing: give the ID of the sidecar's registration in Consul, such as web-1-sidecar-proxy, or --bootstrap",
    );
  }
  return {
    ...shared,
    node: { id, cluster: options.service ?? '', locality: { region: '', zone: '', subZone: '' }, metadata: {} },
    admin: admin ?? { kind: 'ip', ...DEFAULT_ADMIN },
    controlServers: securedServers(options.control, options),
    deltaXds: false,
    subscribes: { listeners: true, clusters: true },
    initialFetchTimeoutMs: undefined,
    notes: [],
    staticListeners: [],
    staticClusters: [],
    staticSecrets: [],
  };
}

/** Consul's `connect envoy` sets node.cluster to the service; a proxy id by Consul's defaults holds its name too. */
function serviceOf(bootstrap: Bootstrap): string {
  if (bootstrap.node.cluster !== '') return bootstrap.node.cluster;
  return bootstrap.node.id.replace(/-sidecar-proxy$/, '').replace(/-\d+$/, '');
}

function defaultStateDirectory(environment: Environment): string {
  return join(environment['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'weft', 'state');
}
