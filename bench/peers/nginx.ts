import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PROXY_CORE } from '../harness/options.ts';
import { processTree } from '../harness/process-usage.ts';
import { freePort, startPinned } from '../harness/program.ts';
import type { CertificateFiles } from './envoy-bootstrap.ts';
import { findProgram } from './find-program.ts';
import type { FoundPeer, RunningPeer } from './peer.ts';

/** nginx as a bare reverse proxy with upstream keep-alive: one worker, no logs. */
export function nginxProxy(originPort: number, certificate?: CertificateFiles): FoundPeer {
  const tls =
    certificate === undefined ? '' : `ssl_certificate ${certificate.chain}; ssl_certificate_key ${certificate.key};`;
  return nginxPeer(
    'nginx',
    (port) => `
    upstream origin { server 127.0.0.1:${originPort}; keepalive 256; keepalive_requests 100000000; }
    server {
      listen 127.0.0.1:${port}${certificate === undefined ? '' : ' ssl'};
      ${tls}
      location / { proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection ""; }
    }`,
  );
}

/** Path of the origin's answer of 1 MiB. */
export const MEBIBYTE_PATH = '/mebibyte';
const MEBIBYTE = 1_048_576;

/** Starts nginx as the origin of a measurement on the load core: answers of 1 KiB, and of 1 MiB under MEBIBYTE_PATH. */
export async function startNginxOrigin(core: number): Promise<RunningPeer> {
  const found = nginxPeer(
    'origin',
    (port, folder) => `
    server {
      listen 127.0.0.1:${port} backlog=4096;
      location = ${MEBIBYTE_PATH} { alias ${folder}/mebibyte; }
      location / { default_type text/plain; return 200 "${'x'.repeat(1024)}"; }
    }`,
    core,
  );
  if (!found.found) throw new Error(`the origin needs nginx: ${found.reason}`);
  return found.peer.start();
}

function nginxPeer(
  name: string,
  servers: (port: number, folder: string) => string,
  core: number = PROXY_CORE,
): FoundPeer {
  const binary = findProgram('nginx');
  if (binary === undefined) return { found: false, name, reason: 'nginx is not installed' };
  return {
    found: true,
    peer: {
      name,
      async start() {
        const folder = mkdtempSync(join(tmpdir(), 'weft-nginx-'));
        const port = await freePort();
        const config = join(folder, 'nginx.conf');
        writeFileSync(config, nginxConfig(folder, servers(port, folder)));
        writeFileSync(join(folder, 'mebibyte'), Buffer.alloc(MEBIBYTE, 'x'));
        const program = await startPinned(
          core,
          [binary, '-c', config, '-e', join(folder, 'error.log'), '-p', folder],
          port,
        );
        return {
          port,
          pids: () => processTree(program.pid),
          async stop() {
            await program.stop();
            rmSync(folder, { recursive: true, force: true });
          },
        };
      },
    },
  };
}

function nginxConfig(folder: string, servers: string): string {
  return `
worker_processes 1;
daemon off;
user root;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log warn;
worker_rlimit_nofile 20000;
events { worker_connections 16384; }
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  keepalive_timeout 300s;
  keepalive_requests 100000000;
  tcp_nodelay on;
  sendfile on;
  ${servers}
}
`;
}
