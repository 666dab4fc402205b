import type net from 'node:net';

/** Turns without a new connection that show an empty queue: the turn in which we begin may have looked already. */
const QUIET_TURNS = 2;
/** Peers that connect as fast as we look must not keep a listener open; far more than a queue holds. */
const MAX_TURNS = 10_000;

/**
 * Closes a server once it has accepted what the kernel has queued for it, then calls `done`. libuv accepts one connection for
 * each turn of the loop, and closing resets those that still wait, with the requests they may already carry.
 */
export function closeAfterQueue(server: net.Server, done: () => void): void {
  let isQuiet = true;
  const onConnection = (): void => {
    isQuiet = false;
  };
  const look = (turns: number, quietTurns: number): void => {
    setImmediate(() => {
      const quiet = isQuiet ? quietTurns + 1 : 0;
      isQuiet = true;
      if (server.listening && quiet < QUIET_TURNS && turns < MAX_TURNS) {
        look(turns + 1, quiet);
        return;
      }
      server.off('connection', onConnection);
      server.close();
      done();
    });
  };
  server.on('connection', onConnection);
  look(1, 0);
}
