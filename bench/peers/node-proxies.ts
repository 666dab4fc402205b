import { fileURLToPath } from 'node:url';
import { PROXY_CORE } from '../harness/options.ts';
import { freePort, startPinned } from '../harness/program.ts';
import type { FoundPeer } from './peer.ts';

type NodeProxy = 'fast-proxy' | 'http-proxy-3' | 'node-http' | 'node-http2' | 'grpc-js';

/** The proxies of npm and of Node itself, each a few lines around the package as its own documentation shows it. */
export function nodeProxy(name: NodeProxy, originPort: number, ...more: readonly string[]): FoundPeer {
  const script = fileURLToPath(new URL(`./node-proxy-programs/${name}.ts`, import.meta.url));
  return {
    found: true,
    peer: {
      name,
      async start() {
        const port = await freePort();
        const program = await startPinned(
          PROXY_CORE,
          [process.execPath, script, String(port), String(originPort), ...more],
          port,
        );
        return { port, pids: () => [program.pid], stop: () => program.stop() };
      },
    },
  };
}
