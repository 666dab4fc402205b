import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { comparePeers, type Load } from '../harness/compare.ts';
import { runH2load } from '../harness/h2load.ts';
import type { BenchOptions } from '../harness/options.ts';
import type { SuiteReport } from '../harness/report.ts';
import { envoyProxy } from '../peers/envoy.ts';
import { haproxyProxy } from '../peers/haproxy.ts';
import { grpcMessage, nghttpxProxy, startNghttpd, UNARY_PATH } from '../peers/nghttp2.ts';
import { nodeProxy } from '../peers/node-proxies.ts';
import type { FoundPeer } from '../peers/peer.ts';
import { selectPeers } from '../peers/select-peers.ts';
import { weftProxy } from '../peers/weft.ts';

const CONNECTIONS = 8;
const STREAMS = 16;

/** Unary calls of 100 bytes each way, with metadata and a status in the trailers. */
export async function grpcSuite(options: BenchOptions): Promise<SuiteReport> {
  const folder = mkdtempSync(join(tmpdir(), 'weft-grpc-bench-'));
  const message = join(folder, 'message');
  writeFileSync(message, grpcMessage());
  const origin = await startNghttpd('grpc-status: 0');
  try {
    const shape = { kind: 'http2', originPort: origin.port, otlpPort: 4317 } as const;
    const candidates: FoundPeer[] = [
      { found: true, peer: weftProxy(shape) },
      nghttpxProxy(origin.port),
      haproxyProxy(origin.port, 'http2'),
      envoyProxy(shape),
      nodeProxy('node-http2', origin.port),
      nodeProxy('grpc-js', origin.port, UNARY_PATH),
    ];
    const { peers, missing } = selectPeers(candidates, options);
    const load: Load = ({ port }, seconds) =>
      runH2load({
        url: `http://127.0.0.1:${port}${UNARY_PATH}`,
        connections: CONNECTIONS,
        streamsPerConnection: STREAMS,
        extent: { seconds },
        headers: ['content-type: application/grpc', 'te: trailers', 'grpc-timeout: 5S', 'x-tenant: green'],
        bodyFile: message,
      });
    const name = `unary, ${CONNECTIONS} connections of ${STREAMS} streams, 100-byte messages`;
    const report = await comparePeers(name, peers, load, options);
    return { suite: 'grpc', node: process.versions.node, cases: [report], missing };
  } finally {
    await origin.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
