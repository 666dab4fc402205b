import { comparePeers } from '../harness/compare.ts';
import { type BenchOptions, LOAD_CORE } from '../harness/options.ts';
import type { SuiteReport } from '../harness/report.ts';
import { runWrk } from '../harness/wrk.ts';
import { envoyProxy } from '../peers/envoy.ts';
import { haproxyProxy } from '../peers/haproxy.ts';
import { nginxProxy, startNginxOrigin } from '../peers/nginx.ts';
import { nodeProxy } from '../peers/node-proxies.ts';
import type { FoundPeer } from '../peers/peer.ts';
import { selectPeers } from '../peers/select-peers.ts';
import { weftProxy } from '../peers/weft.ts';

/** HTTP/1.1 keep-alive with 64 connections and 1 KiB answers, all default features of Weft on. */
export async function http1Suite(options: BenchOptions): Promise<SuiteReport> {
  const origin = await startNginxOrigin(LOAD_CORE);
  try {
    // Spans of the sampled 1 % go to a port nobody listens on; what exporting costs is measured by its own suite.
    const shape = { kind: 'http1', originPort: origin.port, otlpPort: 4317 } as const;
    const candidates: FoundPeer[] = [
      { found: true, peer: weftProxy(shape) },
      nginxProxy(origin.port),
      haproxyProxy(origin.port),
      envoyProxy(shape),
      nodeProxy('fast-proxy', origin.port),
      nodeProxy('node-http', origin.port),
      nodeProxy('http-proxy-3', origin.port),
    ];
    const { peers, missing } = selectPeers(candidates, options);
    const load = (running: { readonly port: number }, seconds: number) =>
      runWrk({
        url: `http://127.0.0.1:${running.port}/api/items?page=2`,
        connections: 64,
        seconds,
        headers: ['user-agent: wrk', 'accept: */*', 'x-tenant: green'],
      });
    const report = await comparePeers('64 keep-alive connections, 1 KiB answers', peers, load, options);
    return { suite: 'http1', node: process.versions.node, cases: [report], missing };
  } finally {
    await origin.stop();
  }
}
