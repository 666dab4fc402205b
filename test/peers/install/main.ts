import { type InstallOptions, installPeer } from './install-peer.ts';
import { peersDirectory } from './locate.ts';
import { isPeerName, PEER_NAMES, type PeerName } from './peers.ts';
import { StepFailed } from './run-step.ts';

/** `npm run peers [-- NAME...]`: installs the named peers, or all of them, into the cache that clones share. */
async function main(args: readonly string[]): Promise<number> {
  const unknown = args.filter((arg) => !isPeerName(arg));
  if (unknown.length > 0) {
    print(`unknown peer ${unknown.join(', ')}; there are ${PEER_NAMES.join(', ')}`);
    return 2;
  }
  const names = args.length > 0 ? args.filter(isPeerName) : PEER_NAMES;
  const interrupt = new AbortController();
  let exitCodeWhenInterrupted = 0;
  const stopWith = (code: number) => () => {
    if (!interrupt.signal.aborted) print('stopping');
    exitCodeWhenInterrupted = code;
    interrupt.abort();
  };
  process.on('SIGINT', stopWith(130));
  process.on('SIGTERM', stopWith(143));

  const failures = await installAll(names, { directory: peersDirectory(), signal: interrupt.signal, print });
  for (const failure of failures) print(failure);
  if (interrupt.signal.aborted) return exitCodeWhenInterrupted;
  return failures.length > 0 ? 1 : 0;
}

/** One after the other: a Go build already uses every core. Returns a line for each peer that failed. */
async function installAll(names: readonly PeerName[], options: InstallOptions): Promise<string[]> {
  const failures: string[] = [];
  for (const name of names) {
    try {
      await installPeer(name, options);
    } catch (error) {
      if (options.signal.aborted) break;
      failures.push(describeFailure(name, error));
    }
  }
  return failures;
}

function describeFailure(name: PeerName, error: unknown): string {
  if (!(error instanceof StepFailed)) return `FAILED ${name}: ${String(error)}`;
  return `FAILED ${name}: ${error.message}; log: ${error.logPath}`;
}

function print(line: string): void {
  console.log(line);
}

process.exitCode = await main(process.argv.slice(2));
