import type { FilterChain } from '../../resource/listener.ts';
import type { TransportSocket } from '../../resource/transport-socket.ts';
import { alpnBytes, TlsContext, type TlsMaterials } from '../../transport-socket/transport-socket.ts';

/** How connections of a filter chain are secured. */
export interface DownstreamTransport {
  readonly context: TlsContext;
  readonly alpn: Buffer | undefined;
  readonly handshakeTimeoutMs: number;
}

/** Where `transport_socket_connect_timeout` says nothing; Envoy waits for ever. */
const DEFAULT_HANDSHAKE_TIMEOUT_MS = 10_000;

/** undefined: plaintext. Throws an Error that says what is wrong where a context cannot be compiled. */
export function compileTransport(chain: FilterChain, materials: TlsMaterials): DownstreamTransport | undefined {
  const { transportSocket, transportSocketConnectTimeoutMs } = chain;
  if (transportSocket?.kind !== 'downstreamTls') return undefined;
  const context = new TlsContext(transportSocket, materials);
  if (context.current() === undefined && !context.isAwaitingSecrets) throw new Error(context.problem);
  return {
    context,
    alpn: alpnBytes(transportSocket.common.alpnProtocols),
    handshakeTimeoutMs: transportSocketConnectTimeoutMs || DEFAULT_HANDSHAKE_TIMEOUT_MS,
  };
}

/**
 * What a connection had to prove to come in. Where that changes, those that were let in under the old rule are drained; a new
 * certificate of ours, or secrets that come and go, change nothing of it.
 */
export function trustKey(transportSocket: TransportSocket | undefined): string {
  if (transportSocket?.kind !== 'downstreamTls') return 'plaintext';
  const { requireClientCertificate, common } = transportSocket;
  const { validation, validationSecretName } = common;
  return JSON.stringify([requireClientCertificate, validation, validationSecretName]);
}
