import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { comparePeers, type Load } from '../harness/compare.ts';
import { runH2load } from '../harness/h2load.ts';
import type { BenchOptions } from '../harness/options.ts';
import type { CaseReport, SuiteReport } from '../harness/report.ts';
import { envoyProxy } from '../peers/envoy.ts';
import { findGrpcGo } from '../peers/grpc-go.ts';
import { haproxyProxy } from '../peers/haproxy.ts';
import { grpcMessage, nghttpxProxy, startNghttpd, UNARY_PATH } from '../peers/nghttp2.ts';
import { nodeProxy } from '../peers/node-proxies.ts';
import type { FoundPeer } from '../peers/peer.ts';
import { selectPeers } from '../peers/select-peers.ts';
import { weftProxy } from '../peers/weft.ts';

const CONNECTIONS = 8;
const STREAMS = 16;
const MESSAGE_BYTES = 100;
/** What grpc-go's client calls. */
const BENCHMARK_PATH = '/grpc.testing.BenchmarkService/UnaryCall';

interface Measured {
  readonly cases: readonly CaseReport[];
  readonly missing: Readonly<Record<string, string>>;
}

/** Unary calls of 100 bytes each way: between programs of grpc-go, and as many as HTTP/2 tools can make of them. */
export async function grpcSuite(options: BenchOptions): Promise<SuiteReport> {
  const real = await callsOfGrpcGo(options);
  const plain = await callsOfH2load(options);
  return {
    suite: 'grpc',
    node: process.versions.node,
    cases: [...real.cases, ...plain.cases],
    missing: { ...real.missing, ...plain.missing },
  };
}

/** A client and a server that others wrote, which have the other core between them: the proxy is not driven to its limit. */
async function callsOfGrpcGo(options: BenchOptions): Promise<Measured> {
  const grpcGo = findGrpcGo();
  if (grpcGo === undefined) return { cases: [], missing: { 'grpc-go': 'not installed; run npm run peers' } };
  const origin = await grpcGo.startServer();
  try {
    const { peers, missing } = selectPeers(candidatesFor(origin.port, BENCHMARK_PATH), options);
    const load = grpcGo.load({
      connections: CONNECTIONS,
      callsPerConnection: STREAMS,
      messageBytes: MESSAGE_BYTES,
    });
    const name = `unary between grpc-go's client and server, ${CONNECTIONS} connections of ${STREAMS} calls`;
    return { cases: [await comparePeers(name, peers, load, options)], missing };
  } finally {
    await origin.stop();
  }
}

/** Heads, messages and trailers as gRPC has them, by tools that leave the proxy all it can take. */
async function callsOfH2load(options: BenchOptions): Promise<Measured> {
  const folder = mkdtempSync(join(tmpdir(), 'weft-grpc-bench-'));
  const message = join(folder, 'message');
  writeFileSync(message, grpcMessage());
  const origin = await startNghttpd('grpc-status: 0');
  try {
    const { peers, missing } = selectPeers(candidatesFor(origin.port, UNARY_PATH), options);
    const load: Load = ({ port }, seconds) =>
      runH2load({
        url: `http://127.0.0.1:${port}${UNARY_PATH}`,
        connections: CONNECTIONS,
        streamsPerConnection: STREAMS,
        extent: { seconds },
        headers: ['content-type: application/grpc', 'te: trailers', 'grpc-timeout: 5S', 'x-tenant: green'],
        bodyFile: message,
      });
    const name = `unary by h2load, ${CONNECTIONS} connections of ${STREAMS} streams`;
    return { cases: [await comparePeers(name, peers, load, options)], missing };
  } finally {
    await origin.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function candidatesFor(originPort: number, path: string): readonly FoundPeer[] {
  const shape = { kind: 'http2', originPort, otlpPort: 4317 } as const;
  return [
    { found: true, peer: weftProxy(shape) },
    nghttpxProxy(originPort),
    haproxyProxy(originPort, 'http2'),
    envoyProxy(shape),
    nodeProxy('node-http2', originPort),
    nodeProxy('grpc-js', originPort, path),
  ];
}
