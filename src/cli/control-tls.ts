import { isIP } from 'node:net';
import type { ControlServer } from '../resource/bootstrap.ts';
import { EMPTY_TLS_CONTEXT, type UpstreamTlsContext } from '../resource/transport-socket.ts';
import type { HostAndPort } from './option-parsers.ts';
import { UsageError } from './usage-error.ts';

/** How a sidecar that has no bootstrap file secures its connections to control servers. */
export interface ControlTlsOptions {
  readonly controlCa: string | undefined;
  readonly controlCert: string | undefined;
  readonly controlKey: string | undefined;
}

/** The servers with their transport sockets; plaintext where nothing is said. */
export function securedServers(servers: readonly HostAndPort[], options: ControlTlsOptions): readonly ControlServer[] {
  const { controlCa, controlCert, controlKey } = options;
  if ((controlCert === undefined) !== (controlKey === undefined)) {
    throw new UsageError('--control-cert and --control-key belong together: give both or neither');
  }
  if (controlCa === undefined) {
    if (controlCert === undefined) return servers;
    throw new UsageError('--control-ca is missing: without it the control server would not be verified');
  }
  return servers.map((server) => ({
    ...server,
    transportSocket: tlsTo(server.host, controlCa, controlCert, controlKey),
  }));
}

/** The server must have a certificate of that authority which names the host that was asked for. */
function tlsTo(
  host: string,
  caFile: string,
  certificateFile: string | undefined,
  keyFile: string | undefined,
): UpstreamTlsContext {
  const file = (path: string) => ({ kind: 'file', path }) as const;
  const isAddress = isIP(host) !== 0;
  return {
    kind: 'upstreamTls',
    sni: isAddress ? '' : host,
    common: {
      ...EMPTY_TLS_CONTEXT,
      certificates:
        certificateFile === undefined || keyFile === undefined
          ? []
          : [{ certificateChain: file(certificateFile), privateKey: file(keyFile) }],
      validation: {
        trustedCa: file(caFile),
        matchSubjectAltNames: [
          { sanType: isAddress ? 'ip' : 'dns', matcher: { kind: 'exact', value: host, ignoreCase: !isAddress } },
        ],
      },
    },
  };
}
