/** Something that runs until it is told to stop. */
export interface RunningProgram {
  /** Finishes what runs, then resolves. */
  stop(): Promise<void>;
  /** Resolves when the program asks to be stopped by itself; never where it does not. */
  readonly ended?: Promise<void>;
}

/**
 * SIGTERM and SIGINT drain and end the program, a second one ends it now. Also ends when standard input closes, where the
 * program was started by another of ours that asked for it: no child outlives its parent.
 */
export async function runUntilSignal(program: RunningProgram, endWithStandardInput: boolean): Promise<void> {
  let signals = 0;
  await new Promise<void>((resolve, reject) => {
    const stop = (): void => {
      signals++;
      if (signals > 1) process.exit(1);
      program.stop().then(resolve, reject);
    };
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);
    if (endWithStandardInput) {
      process.stdin.on('end', stop).on('close', stop).on('error', stop);
      process.stdin.resume();
    }
    program.ended?.then(stop, reject);
  });
}
