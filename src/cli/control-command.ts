import { Command, Option } from 'commander';
import type { ServingFiles } from '../control/serving-certificates.ts';
import { MUTUAL_TLS_MODES, type MutualTls } from '../control/translate/mutual-tls.ts';
import { consulSettings, type Environment } from './environment.ts';
import { addLogOptions, type LogOptions, logsFrom } from './log-options.ts';
import { refuseKeysInTheClear } from './mutual-tls-option.ts';
import { parseCount, parseDurationMs, parsePort } from './option-parsers.ts';
import { runUntilSignal } from './run-until-signal.ts';
import { keepHeapTight } from './tight-heap.ts';
import { UsageError } from './usage-error.ts';

interface ControlOptions extends LogOptions {
  readonly consul: string | undefined;
  readonly consulConnections: number | undefined;
  readonly host: string;
  readonly port: number;
  readonly consoleHost: string;
  readonly consolePort: number;
  readonly startWithoutConsul: boolean;
  readonly stateDir: string | undefined;
  readonly preparedQueryInterval: number;
  readonly resourceTtl: number | undefined;
  readonly reportLoads: boolean;
  readonly tlsCert: string | undefined;
  readonly tlsKey: string | undefined;
  readonly tlsClientCa: string | undefined;
  readonly mtls: MutualTls;
}

/** `weft control`: Consul in, xDS out. */
export function controlCommand(environment: Environment): Command {
  const command = new Command('control')
    .description('Run the control server: watches Consul and streams configuration to sidecars over xDS.')
    .option('--consul <url>', 'Consul HTTP API, several separated by commas (or CONSUL_HTTP_ADDR)')
    .option(
      '--consul-connections <count>',
      'questions held open at Consul at once (default 128; an agent allows 200, see limits.http_max_conns_per_client)',
      parseCount,
    )
    .option('--host <address>', 'address of the xDS server', '127.0.0.1')
    .option('--port <port>', 'port of the xDS server', parsePort, 18_000)
    .option('--tls-cert <file>', 'serve xDS over TLS with this certificate (PEM, read again when it changes)')
    .option('--tls-key <file>', 'the private key of --tls-cert')
    .option('--tls-client-ca <file>', 'take only xDS clients with a certificate of these authorities')
    .addOption(
      new Option(
        '--mtls <mode>',
        'mutual TLS between sidecars, with intentions enforced: off, permissive (takes plaintext, too), strict',
      )
        .choices(MUTUAL_TLS_MODES)
        .default('off'),
    )
    .option(
      '--resource-ttl <duration>',
      'clients that know of it drop what they have not heard of for so long (default: nothing is dropped)',
      parseDurationMs,
    )
    .option('--report-loads', 'ask clients to report what they send to each cluster', false)
    .option('--console-host <address>', 'address of the console and its API', '127.0.0.1')
    .option('--console-port <port>', 'port of the console and its API', parsePort, 18_080)
    .option(
      '--prepared-query-interval <duration>',
      'how often upstreams that are prepared queries are asked for',
      parseDurationMs,
      30_000,
    )
    .option(
      '--state-dir <folder>',
      'keep what Consul said last, and start from it where Consul cannot be reached (default: keep nothing)',
    )
    .option(
      '--start-without-consul',
      'go on trying where Consul cannot be reached at the start, instead of ending',
      false,
    );
  return addLogOptions(command).action(async (options: ControlOptions) => {
    keepHeapTight();
    const { startControl } = await import('../control/control.ts');
    refuseKeysInTheClear(options);
    const consul = consulSettings(options.consul, environment);
    const control = await startControl({
      consul: { ...consul, maxConcurrentQuestions: options.consulConnections },
      host: options.host,
      tls: servingFiles(options),
      mutualTls: options.mtls,
      terms: { ttlMs: options.resourceTtl, reportsLoads: options.reportLoads },
      xdsPort: options.port,
      consoleHost: options.consoleHost,
      consolePort: options.consolePort,
      stateFolder: options.stateDir,
      preparedQueryPollMs: options.preparedQueryInterval,
      requireConsul: !options.startWithoutConsul,
      log: logsFrom(options).logger('control'),
    });
    process.stderr.write(
      `weft control: xDS on ${options.host}:${control.xdsPort}, console on http://${options.consoleHost}:${control.consolePort}\n`,
    );
    await runUntilSignal(control, environment['WEFT_END_WITH_STDIN'] === '1');
  });
}

function servingFiles({ tlsCert, tlsKey, tlsClientCa }: ControlOptions): ServingFiles | undefined {
  if (tlsCert !== undefined && tlsKey !== undefined) {
    return { certificateFile: tlsCert, keyFile: tlsKey, clientCaFile: tlsClientCa };
  }
  if (tlsCert === undefined && tlsKey === undefined && tlsClientCa === undefined) return undefined;
  throw new UsageError('--tls-cert and --tls-key belong together, and --tls-client-ca needs both');
}
