import { Command } from 'commander';
import { analyzeCommand } from './analyze-command.ts';
import { controlCommand } from './control-command.ts';
import { demoCommand, demoServiceCommand } from './demo-command.ts';
import type { Environment } from './environment.ts';
import { registryCommand } from './registry-command.ts';
import { sidecarCommand } from './sidecar-command.ts';

/** Every command of `weft`. Errors are thrown, never exited on, so that main.ts alone decides the exit code. */
export function commandLine(environment: Environment): Command {
  const program = new Command('weft')
    .description(
      'A service mesh: sidecars and a control server that speak xDS v3, fed by Consul, traced with OpenTelemetry.',
    )
    .version('0.1.0')
    .showHelpAfterError('(run the command with --help for its options)')
    .exitOverride();
  for (const command of [
    controlCommand(environment),
    sidecarCommand(environment),
    registryCommand(environment),
    analyzeCommand(environment),
    demoCommand(environment),
    demoServiceCommand(environment),
  ]) {
    program.addCommand(command.exitOverride().showHelpAfterError('(run the command with --help for its options)'));
  }
  return program;
}
