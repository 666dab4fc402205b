import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { ChannelCredentials, type ChannelOptions, credentials } from '@grpc/grpc-js';
import type { ControlServer } from '../../resource/bootstrap.ts';
import type { DataSource } from '../../resource/data-source.ts';
import type { UpstreamTlsContext } from '../../resource/transport-socket.ts';
import { TlsContext, TlsMaterials } from '../../transport-socket/transport-socket.ts';

/** How a connection to a control server is secured. */
export interface ChannelSecurity {
  readonly credentials: ChannelCredentials;
  readonly options: ChannelOptions;
}

/**
 * What the server's transport socket says, made ready for one connection. Files are read now, so that the next attempt has the
 * certificates of then. Throws where it cannot be used: a connection that should be secured is never made without.
 */
export function channelSecurity(server: ControlServer): ChannelSecurity {
  const { transportSocket } = server;
  if (transportSocket === undefined || transportSocket.kind === 'rawBuffer') {
    return { credentials: credentials.createInsecure(), options: {} };
  }
  if (transportSocket.kind !== 'upstreamTls') {
    throw new Error(`transport_socket: ${transportSocket.kind} cannot secure a connection to a control server`);
  }
  const { secureContext, verification, requiresCertificate } = compile(transportSocket);
  return {
    credentials: ChannelCredentials.createFromSecureContext(secureContext, {
      rejectUnauthorized: requiresCertificate,
      checkServerIdentity: (_host, { raw }) => {
        const verdict = verification.judge({ certificate: new X509Certificate(raw), chainFault: undefined });
        return verdict.kind === 'refused' ? new Error(verdict.failure.message) : undefined;
      },
    }),
    options: { 'grpc.ssl_target_name_override': serverName(transportSocket, server.host) },
  };
}

function compile(context: UpstreamTlsContext): NonNullable<ReturnType<TlsContext['current']>> {
  const { certificateSecretNames, validationSecretName } = context.common;
  if (certificateSecretNames.length > 0 || validationSecretName !== undefined) {
    throw new Error('transport_socket: secrets of a control server cannot secure the connection to it; name files');
  }
  const materials = new TlsMaterials();
  for (const source of sourcesOf(context)) {
    if (source.kind === 'file') materials.setFile(source.path, readFileSync(source.path, 'utf8'));
  }
  const made = new TlsContext(context, materials);
  const compiled = made.current();
  if (compiled === undefined) throw new Error(`transport_socket: ${made.problem}`);
  return compiled;
}

function sourcesOf({ common }: UpstreamTlsContext): readonly DataSource[] {
  const { certificates, validation } = common;
  const own = certificates.flatMap(({ certificateChain, privateKey }) => [certificateChain, privateKey]);
  return validation?.trustedCa === undefined ? own : [...own, validation.trustedCa];
}

/** An address is no server name (RFC 6066 §3), and gRPC would send it as one. */
function serverName({ sni }: UpstreamTlsContext, host: string): string {
  if (sni !== '') return sni;
  return isIP(host) === 0 ? host : 'localhost';
}
