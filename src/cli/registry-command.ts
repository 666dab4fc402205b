import { Command } from 'commander';
import type { Environment } from './environment.ts';
import { addLogOptions, type LogOptions } from './log-options.ts';
import { parsePort } from './option-parsers.ts';
import { runUntilSignal } from './run-until-signal.ts';

interface RegistryOptions extends LogOptions {
  readonly host: string;
  readonly port: number;
  readonly datacenter: string;
  readonly nodeName: string;
}

/** `weft registry`: the embedded Consul-compatible agent. */
export function registryCommand(environment: Environment): Command {
  const command = new Command('registry')
    .description('Run an embedded registry that answers the Consul HTTP API, in memory, for laptops and tests.')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <port>', 'port to listen on', parsePort, 8500)
    .option('--datacenter <name>', 'name of the datacenter', 'dc1')
    .option('--node-name <name>', 'name of the one node', 'weft');
  return addLogOptions(command).action(async (options: RegistryOptions) => {
    const { startRegistry } = await import('../registry/registry.ts');
    const registry = await startRegistry(options);
    process.stderr.write(`weft registry: Consul's HTTP API on http://${registry.address}:${registry.port}\n`);
    await runUntilSignal(registry, environment['WEFT_END_WITH_STDIN'] === '1');
  });
}
