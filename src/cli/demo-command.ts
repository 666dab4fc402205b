import { Command, Option } from 'commander';
import { MUTUAL_TLS_MODES, type MutualTls } from '../control/translate/mutual-tls.ts';
import type { SampleServiceOptions } from '../demo/sample-service-options.ts';
import type { Environment } from './environment.ts';
import { addLogOptions, type LogOptions } from './log-options.ts';
import { parseCount, parseDurationMs, parseHttpUrl } from './option-parsers.ts';
import { UsageError } from './usage-error.ts';

interface DemoOptions extends LogOptions {
  readonly for: number | undefined;
  readonly json: boolean;
  readonly consul: string | undefined;
  readonly otlp: string | undefined;
  readonly rate: number;
  readonly mtls: MutualTls;
}

/** `weft demo`: the whole mesh on one machine. */
export function demoCommand(environment: Environment): Command {
  const command = new Command('demo')
    .description('Run a whole mesh on this machine: registry, control server, sample services with sidecars, and load.')
    .option(
      '--for <duration>',
      'end by itself after this much load, such as 20s (default: until Ctrl-C)',
      parseDurationMs,
    )
    .option('--json', 'print one JSON object with the results on standard output', false)
    .option('--consul <url>', 'use a running Consul instead of the embedded registry', parseHttpUrl)
    .option(
      '--otlp <url>',
      'export traces to a running Jaeger or collector (OTLP over HTTP) instead of the built-in receiver',
      parseHttpUrl,
    )
    .option('--rate <requests>', 'requests per second', parseCount, 40)
    .addOption(new Option('--mtls <mode>', 'mutual TLS between the sidecars').choices(MUTUAL_TLS_MODES).default('off'));
  return addLogOptions(command).action(async (options: DemoOptions) => {
    const { runDemo } = await import('../demo/demo.ts');
    const abort = new AbortController();
    let signals = 0;
    const onSignal = (): void => {
      signals++;
      if (signals > 2) process.exit(1);
      abort.abort();
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
    const { environment: childEnvironment } = { environment };
    const failed = await runDemo({
      forMs: options.for,
      json: options.json,
      consulUrl: options.consul,
      otlpUrl: options.otlp,
      requestsPerSecond: options.rate,
      mutualTls: options.mtls,
      signal: abort.signal,
      program: [process.execPath, process.argv[1] ?? ''],
      environment: childEnvironment,
      print: (line) => process.stdout.write(`${line}\n`),
      progress: (line) => process.stderr.write(`${line}\n`),
    });
    process.exitCode = failed ? 1 : 0;
  });
}

/** `weft demo-service`: one sample service of the demo. */
export function demoServiceCommand(environment: Environment): Command {
  return new Command('demo-service')
    .description('Run one sample service of the demo (started by weft demo).')
    .requiredOption('--options <json>', 'what the service is and does, as one JSON object')
    .action(async (options: { readonly options: string }) => {
      const { runSampleService } = await import('../demo/sample-service.ts');
      const { runUntilSignal } = await import('./run-until-signal.ts');
      await runUntilSignal(
        await runSampleService(parsedOptions(options.options)),
        environment['WEFT_END_WITH_STDIN'] === '1',
      );
    });
}

function parsedOptions(text: string): SampleServiceOptions {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UsageError(`--options: is no JSON object: ${error instanceof Error ? error.message : String(error)}`);
  }
}
