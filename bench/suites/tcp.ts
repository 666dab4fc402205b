import { comparePeers } from '../harness/compare.ts';
import { type BenchOptions, LOAD_CORE } from '../harness/options.ts';
import type { SuiteReport } from '../harness/report.ts';
import { runWrk } from '../harness/wrk.ts';
import { envoyProxy } from '../peers/envoy.ts';
import { haproxyProxy } from '../peers/haproxy.ts';
import { MEBIBYTE_PATH, startNginxOrigin } from '../peers/nginx.ts';
import { selectPeers } from '../peers/select-peers.ts';
import { weftProxy } from '../peers/weft.ts';

/**
 * Bodies of 1 MiB through a relay of bytes. One request carries one MiB, so CPU per request is CPU per MiB, and the ratio
 * turned round is that of bytes per CPU second.
 */
export async function tcpSuite(options: BenchOptions): Promise<SuiteReport> {
  const origin = await startNginxOrigin(LOAD_CORE);
  try {
    const shape = { kind: 'tcp', originPort: origin.port, otlpPort: undefined } as const;
    const { peers, missing } = selectPeers(
      [{ found: true, peer: weftProxy(shape) }, haproxyProxy(origin.port, 'tcp'), envoyProxy(shape)],
      options,
    );
    const load = (running: { readonly port: number }, seconds: number) =>
      runWrk({ url: `http://127.0.0.1:${running.port}${MEBIBYTE_PATH}`, connections: 16, seconds });
    const report = await comparePeers('16 connections, bodies of 1 MiB through a TCP proxy', peers, load, options);
    return { suite: 'tcp', node: process.versions.node, cases: [report], missing };
  } finally {
    await origin.stop();
  }
}
