#!/usr/bin/env node
/**
 * The command line: argv and environment become checked options, one program starts, and its end becomes an exit code:
 * 0 done, 1 failed, 2 wrong usage or configuration. The only place that reads the environment or exits.
 */
import { enableCompileCache } from 'node:module';
import { UsageError } from './usage-error.ts';

const MINIMUM_NODE_MAJOR = 24;

enableCompileCache();
// Commands load gRPC when they run. Its own lines on standard error only repeat what our errors say with more care.
process.env['GRPC_VERBOSITY'] ??= 'NONE';

try {
  checkNodeVersion();
  const { commandLine } = await import('./command-line.ts');
  await commandLine(process.env).parseAsync(process.argv);
  process.exit(process.exitCode ?? 0);
} catch (error) {
  process.exit(report(error));
}

function checkNodeVersion(): void {
  if (Number(process.versions.node.split('.')[0]) >= MINIMUM_NODE_MAJOR) return;
  throw new UsageError(
    `needs Node.js ${MINIMUM_NODE_MAJOR} or later, this is ${process.versions.node}: start it with bin/weft or through npm, which use the Node that npm ci brought along`,
  );
}

/** One line on standard error that says what and what to do; a stack only where the error is none of ours. */
function report(error: unknown): number {
  // Commander has printed its own message and the usage hint.
  if (isCommanderError(error)) return error.exitCode === 0 ? 0 : 2;
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`weft: ${message.replaceAll('\n', ' ')}\n`);
  if (process.env['WEFT_STACKS'] === '1' && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  return error instanceof UsageError ? 2 : 1;
}

function isCommanderError(error: unknown): error is { readonly exitCode: number } {
  return (
    error instanceof Error && 'exitCode' in error && 'code' in error && String(error.code).startsWith('commander.')
  );
}
