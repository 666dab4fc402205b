/** The process of all clients: `clients.ts` starts it and talks to it over IPC. */
import { type ClientCommand, type ClientReport, monotonicMs } from './client-messages.ts';
import { DeltaClient } from './delta-client.ts';
import { sidecarId } from './scripted-consul.ts';

let clients: DeltaClient[] = [];
let settledAtMs: number[] = [];
let watched: { readonly name: string; readonly subscribers: number; readonly bytesBefore: number } | undefined;
let reachedAtMs: number[] = [];
let others = 0;

function tell(report: ClientReport): void {
  process.send?.(report);
}

function receivedBytes(): number {
  return clients.reduce((sum, client) => sum + client.receivedBytes, 0);
}

function connect(port: number, count: number): void {
  settledAtMs = [];
  clients = Array.from(
    { length: count },
    (_, sidecar) =>
      new DeltaClient(port, sidecarId(sidecar), {
        onSettled: () => {
          settledAtMs.push(monotonicMs());
          if (settledAtMs.length === count) tell({ kind: 'settled', atMs: settledAtMs });
        },
        onEndpoints,
        onLost: (reason) => tell({ kind: 'lost', reason: `${sidecarId(sidecar)}: ${reason}` }),
      }),
  );
}

function onEndpoints(names: readonly string[]): void {
  if (watched === undefined) return;
  if (!names.includes(watched.name)) others += 1;
  else reachedAtMs.push(monotonicMs());
  if (reachedAtMs.length < watched.subscribers) return;
  const { bytesBefore } = watched;
  watched = undefined;
  tell({ kind: 'reached', atMs: reachedAtMs, bytes: receivedBytes() - bytesBefore, others });
}

process.on('message', (command: ClientCommand) => {
  if (command.kind === 'connect') connect(command.port, command.clients);
  else if (command.kind === 'watch') {
    reachedAtMs = [];
    others = 0;
    watched = { name: command.name, subscribers: command.subscribers, bytesBefore: receivedBytes() };
    tell({ kind: 'ready' });
  } else {
    for (const client of clients) client.close();
    clients = [];
    tell({ kind: 'disconnected' });
  }
});
tell({ kind: 'ready' });
