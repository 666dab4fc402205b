import { type Command, Option } from 'commander';
import { Logs } from '../telemetry/log/log.ts';

export interface LogOptions {
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
  readonly logFormat: 'text' | 'json';
}

/** `--log-level` and `--log-format`, the same on every program. */
export function addLogOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--log-level <level>', 'least severe log messages to print')
        .choices(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
        .default('info'),
    )
    .addOption(
      new Option('--log-format <format>', 'one line of text or of JSON for each message')
        .choices(['text', 'json'])
        .default('text'),
    );
}

export function logsFrom(options: LogOptions): Logs {
  return new Logs({ level: options.logLevel, format: options.logFormat });
}
