import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LOAD_CORE, PROXY_CORE } from '../harness/options.ts';
import { processTree } from '../harness/process-usage.ts';
import { freePort, startPinned } from '../harness/program.ts';
import { findProgram } from './find-program.ts';
import type { FoundPeer, RunningPeer } from './peer.ts';

/** More than any load opens at once. */
const MAX_STREAMS = '1024';
const WINDOW_BITS = ['-w20', '-W24'];

/** nghttpx as a bare HTTP/2 reverse proxy by prior knowledge on both sides: one worker, no logs. */
export function nghttpxProxy(originPort: number): FoundPeer {
  const binary = findProgram('nghttpx');
  if (binary === undefined)
    return { found: false, name: 'nghttpx', reason: 'Debian package nghttp2-proxy is not installed' };
  return {
    found: true,
    peer: {
      name: 'nghttpx',
      async start() {
        const port = await freePort();
        const program = await startPinned(
          PROXY_CORE,
          [
            binary,
            '--conf=/dev/null',
            `--frontend=127.0.0.1,${port};no-tls`,
            `--backend=127.0.0.1,${originPort};;proto=h2`,
            '--workers=1',
            '--single-process',
            `--frontend-http2-max-concurrent-streams=${MAX_STREAMS}`,
            `--backend-http2-max-concurrent-streams=${MAX_STREAMS}`,
            '--backend-connections-per-frontend=0',
            '--no-server-push',
            '--accesslog-file=/dev/null',
            '--log-level=ERROR',
          ],
          port,
        );
        return { port, pids: () => processTree(program.pid), stop: () => program.stop() };
      },
    },
  };
}

/** Paths that the origin serves. */
export const SMALL_PATH = '/small.txt';
export const GIBIBYTE_PATH = '/gibibyte.bin';
export const UNARY_PATH = '/bench.Echo/Unary.grpc';

const SMALL_BYTES = 1024;
const GIBIBYTE = 2 ** 30;
const GRPC_PREFIX_BYTES = 5;
const MESSAGE_BYTES = 100;

/** One uncompressed message (gRPC over HTTP/2, Length-Prefixed-Message). */
export function grpcMessage(): Buffer {
  const message = Buffer.alloc(GRPC_PREFIX_BYTES + MESSAGE_BYTES, 'm');
  message.writeUInt8(0, 0);
  message.writeUInt32BE(MESSAGE_BYTES, 1);
  return message;
}

/**
 * Starts nghttpd as the origin of a measurement on the load core. With `trailer` every answer with a body ends with it, which
 * is all that a gRPC client asks of a unary answer.
 */
export async function startNghttpd(trailer?: string): Promise<RunningPeer> {
  const binary = findProgram('nghttpd');
  if (binary === undefined) throw new Error('the origin needs nghttpd: install the Debian package nghttp2-server');
  const folder = mkdtempSync(join(tmpdir(), 'weft-nghttpd-'));
  writeFileSync(join(folder, SMALL_PATH), Buffer.alloc(SMALL_BYTES, 'x'));
  // A hole takes no room on the disk and reads as zeros.
  writeFileSync(join(folder, GIBIBYTE_PATH), '');
  truncateSync(join(folder, GIBIBYTE_PATH), GIBIBYTE);
  mkdirSync(join(folder, UNARY_PATH, '..'));
  writeFileSync(join(folder, UNARY_PATH), grpcMessage());
  const types = join(folder, 'mime.types');
  writeFileSync(types, 'text/plain txt\napplication/octet-stream bin\napplication/grpc grpc\n');
  const port = await freePort();
  const program = await startPinned(
    LOAD_CORE,
    [
      binary,
      '--no-tls',
      '-a127.0.0.1',
      `-m${MAX_STREAMS}`,
      ...WINDOW_BITS,
      `-d${folder}`,
      `--mime-types-file=${types}`,
      ...(trailer === undefined ? [] : [`--trailer=${trailer}`]),
      String(port),
    ],
    port,
  );
  return {
    port,
    pids: () => [program.pid],
    async stop() {
      await program.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
