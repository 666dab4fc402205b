import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PROXY_CORE } from '../harness/options.ts';
import { freePort, startPinned } from '../harness/program.ts';
import { envoyBootstrap, type ProxyShape } from './envoy-bootstrap.ts';
import type { Peer } from './peer.ts';

const PROGRAM = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

/** Spans leave through the exporter that OTEL_* configures, not through a cluster. */
function weftBootstrap(port: number, shape: ProxyShape): unknown {
  const { static_resources: resources, ...rest } = envoyBootstrap(port, shape);
  return {
    ...rest,
    static_resources: { ...resources, clusters: resources.clusters.filter(({ name }) => name !== 'otlp') },
  };
}

/** Weft's own sidecar with its default features on, one worker, from the same bootstrap as Envoy. */
export function weftProxy(shape: ProxyShape): Peer {
  return {
    name: 'weft',
    async start() {
      const folder = mkdtempSync(join(tmpdir(), 'weft-bench-'));
      const port = await freePort();
      const admin = await freePort();
      const config = join(folder, 'bootstrap.json');
      writeFileSync(config, JSON.stringify(weftBootstrap(port, shape)));
      const command = [
        process.execPath,
        PROGRAM,
        'sidecar',
        '--bootstrap',
        config,
        '--admin',
        `127.0.0.1:${admin}`,
        '--concurrency',
        '1',
        '--no-state',
        '--drain-timeout',
        '100ms',
        '--log-level',
        'warn',
      ];
      const env =
        shape.otlpPort === undefined
          ? {}
          : { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${shape.otlpPort}`, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' };
      const program = await startPinned(PROXY_CORE, command, port, env);
      return {
        port,
        pids: () => [program.pid],
        async stop() {
          await program.stop();
          rmSync(folder, { recursive: true, force: true });
        },
      };
    },
  };
}
