import { comparePeers } from '../harness/compare.ts';
import { type BenchOptions, LOAD_CORE } from '../harness/options.ts';
import { runPacedLoad } from '../harness/paced-load.ts';
import type { SuiteReport } from '../harness/report.ts';
import { envoyProxy } from '../peers/envoy.ts';
import { haproxyProxy } from '../peers/haproxy.ts';
import { nginxProxy, startNginxOrigin } from '../peers/nginx.ts';
import { selectPeers } from '../peers/select-peers.ts';
import { weftProxy } from '../peers/weft.ts';

const CONNECTIONS = 32;
const REQUESTS_PER_SECOND = 2_000;

/** How long requests take where every proxy gets the same number of them, far below what it could carry. */
export async function latencySuite(options: BenchOptions): Promise<SuiteReport> {
  const origin = await startNginxOrigin(LOAD_CORE);
  try {
    const shape = { kind: 'http1', originPort: origin.port, otlpPort: 4317 } as const;
    const { peers, missing } = selectPeers(
      [{ found: true, peer: weftProxy(shape) }, nginxProxy(origin.port), haproxyProxy(origin.port), envoyProxy(shape)],
      options,
    );
    const report = await comparePeers(
      `${REQUESTS_PER_SECOND} requests a second over ${CONNECTIONS} connections, 1 KiB answers`,
      peers,
      ({ port }, seconds) =>
        runPacedLoad({ port, seconds, connections: CONNECTIONS, requestsPerSecond: REQUESTS_PER_SECOND }),
      options,
    );
    return { suite: 'latency', node: process.versions.node, cases: [report], missing };
  } finally {
    await origin.stop();
  }
}
