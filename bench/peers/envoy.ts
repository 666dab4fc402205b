import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { peerBinary } from '../../test/peers/install/locate.ts';
import { PROXY_CORE } from '../harness/options.ts';
import { freePort, startPinned } from '../harness/program.ts';
import { envoyBootstrap, type ProxyShape } from './envoy-bootstrap.ts';
import type { FoundPeer } from './peer.ts';

/** Envoy with comparable features on: route match, least request, statistics, request ids, 1 % of traces sampled. */
export function envoyProxy(shape: ProxyShape): FoundPeer {
  const binary = peerBinary('envoy');
  if (binary === undefined) return { found: false, name: 'envoy', reason: 'not installed; run npm run peers' };
  return {
    found: true,
    peer: {
      name: 'envoy',
      async start() {
        const folder = mkdtempSync(join(tmpdir(), 'weft-envoy-'));
        const port = await freePort();
        const config = join(folder, 'envoy.json');
        writeFileSync(config, JSON.stringify(envoyBootstrap(port, shape)));
        const program = await startPinned(
          PROXY_CORE,
          [binary, '-c', config, '--concurrency', '1', '--log-level', 'error', '--disable-hot-restart'],
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
      },
    },
  };
}
