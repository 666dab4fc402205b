import { comparePeers, type Load } from '../harness/compare.ts';
import { runH2load } from '../harness/h2load.ts';
import type { BenchOptions } from '../harness/options.ts';
import type { SuiteReport } from '../harness/report.ts';
import { envoyProxy } from '../peers/envoy.ts';
import { haproxyProxy } from '../peers/haproxy.ts';
import { GIBIBYTE_PATH, nghttpxProxy, SMALL_PATH, startNghttpd } from '../peers/nghttp2.ts';
import { nodeProxy } from '../peers/node-proxies.ts';
import type { FoundPeer } from '../peers/peer.ts';
import { selectPeers } from '../peers/select-peers.ts';
import { weftProxy } from '../peers/weft.ts';

const HEADERS = ['accept: */*', 'x-tenant: green'];
const MIB_PER_BODY = 1024;
/** Each is a whole body. */
const BODY_WARM_UP_STEPS = 2;

/** HTTP/2 on both sides: many streams on few connections, one stream on one, and one long body. */
export async function http2Suite(options: BenchOptions): Promise<SuiteReport> {
  const origin = await startNghttpd();
  try {
    const shape = { kind: 'http2', originPort: origin.port, otlpPort: 4317 } as const;
    const candidates: FoundPeer[] = [
      { found: true, peer: weftProxy(shape) },
      nghttpxProxy(origin.port),
      haproxyProxy(origin.port, 'http2'),
      envoyProxy(shape),
      nodeProxy('node-http2', origin.port),
    ];
    const { peers, missing } = selectPeers(candidates, options);
    // A body of 1 GiB may take longer than the 15 seconds of an ordinary route.
    const patient = { ...shape, isPatient: true };
    const patientCandidates: FoundPeer[] = [
      { found: true, peer: weftProxy(patient) },
      nghttpxProxy(origin.port),
      envoyProxy(patient),
    ];
    const patientPeers = selectPeers(patientCandidates, options).peers;
    const cases = [
      await comparePeers('8 connections of 16 streams, 1 KiB answers', peers, small(8, 16), options),
      await comparePeers('1 connection of 1 stream, 1 KiB answers', peers, small(1, 1), options),
      await comparePeers(
        'one body of 1 GiB; a request is 1 MiB of it',
        patientPeers,
        gibibyte,
        options,
        BODY_WARM_UP_STEPS,
      ),
    ];
    return { suite: 'http2', node: process.versions.node, cases, missing };
  } finally {
    await origin.stop();
  }
}

function small(connections: number, streamsPerConnection: number): Load {
  return ({ port }, seconds) =>
    runH2load({
      url: `http://127.0.0.1:${port}${SMALL_PATH}`,
      connections,
      streamsPerConnection,
      extent: { seconds },
      headers: HEADERS,
    });
}

const gibibyte: Load = async ({ port }) => {
  const result = await runH2load({
    url: `http://127.0.0.1:${port}${GIBIBYTE_PATH}`,
    connections: 1,
    streamsPerConnection: 1,
    extent: { requests: 1 },
    headers: HEADERS,
  });
  return { ...result, requests: result.requests * MIB_PER_BODY };
};
