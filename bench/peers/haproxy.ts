import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PROXY_CORE } from '../harness/options.ts';
import { freePort, startPinned } from '../harness/program.ts';
import type { CertificateFiles } from './envoy-bootstrap.ts';
import { findProgram } from './find-program.ts';
import type { FoundPeer } from './peer.ts';

type HaproxyMode = 'http' | 'http2' | 'tcp';

/** HAProxy as a bare reverse proxy (`mode http`), the same with HTTP/2 on both sides, or byte relay: one thread, reused connections, no logs. */
export function haproxyProxy(
  originPort: number,
  mode: HaproxyMode = 'http',
  certificate?: CertificateFiles,
): FoundPeer {
  const name = mode === 'tcp' ? 'haproxy-tcp' : 'haproxy';
  const binary = findProgram('haproxy');
  if (binary === undefined) return { found: false, name, reason: 'haproxy is not installed' };
  return {
    found: true,
    peer: {
      name,
      async start() {
        const folder = mkdtempSync(join(tmpdir(), 'weft-haproxy-'));
        const port = await freePort();
        const config = join(folder, 'haproxy.cfg');
        writeFileSync(config, haproxyConfig(port, originPort, mode, certificate));
        const program = await startPinned(PROXY_CORE, [binary, '-db', '-f', config], port);
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

function haproxyConfig(
  port: number,
  originPort: number,
  mode: HaproxyMode,
  certificate: CertificateFiles | undefined,
): string {
  const tls = certificate === undefined ? '' : ` ssl crt ${certificate.both}`;
  const isHttp = mode !== 'tcp';
  const protocol = mode === 'http2' ? ' proto h2' : '';
  return `
global
  nbthread 1
  maxconn 8192
  ${mode === 'http2' ? 'tune.h2.max-concurrent-streams 1024' : ''}
defaults
  mode ${isHttp ? 'http' : 'tcp'}
  timeout client 300s
  timeout server 300s
  timeout connect 5s
  ${isHttp ? 'http-reuse always\n  option http-keep-alive' : ''}
frontend in
  bind 127.0.0.1:${port}${protocol}${tls}
  default_backend origin
backend origin
  server origin 127.0.0.1:${originPort}${protocol} ${isHttp ? 'pool-max-conn 256' : ''}
`;
}
