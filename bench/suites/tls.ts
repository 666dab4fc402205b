import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TestAuthority } from '../../test/support/certificates.ts';
import { comparePeers } from '../harness/compare.ts';
import { type BenchOptions, LOAD_CORE } from '../harness/options.ts';
import type { SuiteReport } from '../harness/report.ts';
import { runWrk } from '../harness/wrk.ts';
import { envoyProxy } from '../peers/envoy.ts';
import type { CertificateFiles } from '../peers/envoy-bootstrap.ts';
import { haproxyProxy } from '../peers/haproxy.ts';
import { nginxProxy, startNginxOrigin } from '../peers/nginx.ts';
import type { FoundPeer } from '../peers/peer.ts';
import { selectPeers } from '../peers/select-peers.ts';
import { weftProxy } from '../peers/weft.ts';

/** HTTP/1.1 over TLS in front and plaintext behind: 64 keep-alive connections, so that handshakes hardly count. */
export async function tlsSuite(options: BenchOptions): Promise<SuiteReport> {
  const folder = mkdtempSync(join(tmpdir(), 'weft-bench-tls-'));
  const certificate = await writeCertificate(folder);
  const origin = await startNginxOrigin(LOAD_CORE);
  try {
    const shape = { kind: 'http1', originPort: origin.port, otlpPort: 4317, certificate } as const;
    const candidates: FoundPeer[] = [
      { found: true, peer: weftProxy(shape) },
      nginxProxy(origin.port, certificate),
      haproxyProxy(origin.port, 'http', certificate),
      envoyProxy(shape),
    ];
    const { peers, missing } = selectPeers(candidates, options);
    const load = (running: { readonly port: number }, seconds: number) =>
      runWrk({
        url: `https://127.0.0.1:${running.port}/api/items?page=2`,
        connections: 64,
        seconds,
        headers: ['user-agent: wrk', 'accept: */*', 'x-tenant: green'],
      });
    const report = await comparePeers('64 keep-alive connections over TLS, 1 KiB answers', peers, load, options);
    return { suite: 'tls', node: process.versions.node, cases: [report], missing };
  } finally {
    await origin.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function writeCertificate(folder: string): Promise<CertificateFiles> {
  const authority = await TestAuthority.create();
  const { certificatePem, keyPem } = await authority.issue({ names: [{ type: 'dns', value: 'localhost' }] });
  const write = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  return {
    chain: write('chain.pem', `${certificatePem}\n`),
    key: write('key.pem', keyPem),
    both: write('both.pem', `${certificatePem}\n${keyPem}`),
  };
}
