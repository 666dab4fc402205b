/**
 * The process behind `runPacedLoad`: one argument, a PacedLoad as JSON; prints a LoadResult. A request's time runs from when
 * it was due, so that a stall counts for every request that it held up. Requests that find all connections busy wait.
 */
import net from 'node:net';
import type { PacedLoad } from './paced-load.ts';
import type { LoadResult } from './wrk.ts';

const load: PacedLoad = JSON.parse(process.argv[2] ?? '{}');
const REQUEST = Buffer.from(
  `GET /api/items?page=2 HTTP/1.1\r\nHost: 127.0.0.1:${load.port}\r\nuser-agent: paced\r\naccept: */*\r\nx-tenant: green\r\n\r\n`,
);
const TICK_MS = 1;
const LONGEST_WAIT_FOR_ANSWERS_MS = 2_000;

interface Connection {
  readonly socket: net.Socket;
  dueAtMs: number;
  /** Bytes of the answer still to come; 0 before its head. */
  missingBytes: number;
}

const idle: Connection[] = [];
const times: number[] = [];
let inFlight = 0;
let errors = 0;

function connect(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ port: load.port, host: '127.0.0.1', noDelay: true });
    const connection: Connection = { socket, dueAtMs: 0, missingBytes: 0 };
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      socket.on('error', () => undefined);
      idle.push(connection);
      resolve();
    });
    socket.on('close', () => {
      errors++;
    });
    socket.on('data', (bytes: Buffer) => onBytes(connection, bytes));
  });
}

function onBytes(connection: Connection, bytes: Buffer): void {
  if (connection.missingBytes > 0) connection.missingBytes -= bytes.length;
  else {
    // Heads of these proxies come in one piece.
    const head = bytes.toString('latin1');
    const length = Number(/\r\ncontent-length: *(\d+)\r\n/i.exec(head)?.[1]);
    if (!head.startsWith('HTTP/1.1 200') || Number.isNaN(length)) errors++;
    connection.missingBytes = head.indexOf('\r\n\r\n') + 4 + length - bytes.length;
  }
  if (connection.missingBytes > 0) return;
  times.push(performance.now() - connection.dueAtMs);
  inFlight--;
  idle.push(connection);
}

await Promise.all(Array.from({ length: load.connections }, connect));
const startedAtMs = performance.now();
const total = load.seconds * load.requestsPerSecond;
let sent = 0;
await new Promise<void>((resolve) => {
  const timer = setInterval(() => {
    const elapsedMs = performance.now() - startedAtMs;
    const due = Math.min(total, Math.floor((elapsedMs / 1000) * load.requestsPerSecond));
    while (sent < due) {
      const connection = idle.shift();
      if (connection === undefined) break;
      connection.dueAtMs = startedAtMs + (sent / load.requestsPerSecond) * 1000;
      connection.socket.write(REQUEST);
      sent++;
      inFlight++;
    }
    const isLate = elapsedMs > load.seconds * 1000 + LONGEST_WAIT_FOR_ANSWERS_MS;
    if ((sent < total || inFlight > 0) && !isLate) return;
    clearInterval(timer);
    resolve();
  }, TICK_MS);
});
const seconds = (performance.now() - startedAtMs) / 1000;
times.sort((left, right) => left - right);
const quantile = (share: number): number => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0;
const result: LoadResult = {
  requests: times.length,
  seconds,
  p50Ms: quantile(0.5),
  p99Ms: quantile(0.99),
  p999Ms: quantile(0.999),
  errors: errors + total - times.length,
};
process.stdout.write(JSON.stringify(result));
process.exit(0);
