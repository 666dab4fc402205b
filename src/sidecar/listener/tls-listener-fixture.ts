import { once } from 'node:events';
import tls from 'node:tls';
import type { Pair } from '../../../test/support/certificates.ts';
import { httpConnectionManager } from '../../../test/support/resources.ts';
import type { HttpConnectionManager } from '../../resource/http-connection-manager.ts';
import type { FilterChain, FilterChainMatch } from '../../resource/listener.ts';
import {
  type CommonTlsContext,
  EMPTY_TLS_CONTEXT,
  type SubjectAltNameMatcher,
  type TransportSocket,
} from '../../resource/transport-socket.ts';
import { RawPeer } from './data-path-fixture.ts';

/** Tests of TLS on listeners and clusters: contexts, chains and clients. */

const inline = (text: string): { readonly kind: 'inline'; readonly text: string } => ({ kind: 'inline', text });

export function commonContext(
  pair: Pair | undefined,
  trustedCaPem?: string,
  overrides: Partial<CommonTlsContext> = {},
  matchSubjectAltNames: readonly SubjectAltNameMatcher[] = [],
): CommonTlsContext {
  return {
    ...EMPTY_TLS_CONTEXT,
    certificates:
      pair === undefined ? [] : [{ certificateChain: inline(pair.certificatePem), privateKey: inline(pair.keyPem) }],
    validation: trustedCaPem === undefined ? undefined : { trustedCa: inline(trustedCaPem), matchSubjectAltNames },
    ...overrides,
  };
}

export function downstreamTls(common: CommonTlsContext, requireClientCertificate = false): TransportSocket {
  return { kind: 'downstreamTls', common, requireClientCertificate };
}

export function chainMatch(criteria: Partial<FilterChainMatch> = {}): FilterChainMatch {
  return {
    destinationPort: undefined,
    prefixRanges: [],
    serverNames: [],
    transportProtocol: '',
    applicationProtocols: [],
    ...criteria,
  };
}

export function httpChain(
  transportSocket: TransportSocket | undefined,
  manager: Partial<HttpConnectionManager> = {},
  overrides: Partial<FilterChain> = {},
): FilterChain {
  const config = httpConnectionManager(manager);
  const filters = [{ kind: 'httpConnectionManager', name: 'hcm', config }] as const;
  return { name: 'http', match: chainMatch(), filters, transportSocket, ...overrides };
}

export function tcpChain(
  transportSocket: TransportSocket | undefined,
  cluster: string,
  overrides: Partial<FilterChain> = {},
): FilterChain {
  const config = {
    statPrefix: 'tcp',
    cluster: { kind: 'cluster', name: cluster },
    idleTimeoutMs: 3_600_000,
    maxConnectAttempts: 1,
    maxDownstreamConnectionDurationMs: undefined,
  } as const;
  const filters = [{ kind: 'tcpProxy', name: 'tcp', config }] as const;
  return { name: 'tcp', match: chainMatch(), filters, transportSocket, ...overrides };
}

/** A client whose handshake is over. */
export async function tlsPeer(port: number, options: tls.ConnectionOptions = {}): Promise<RawPeer> {
  const peer = dialTls(port, options);
  await once(peer.socket, 'secureConnect');
  return peer;
}

/** A client whose handshake may fail. */
export function dialTls(port: number, options: tls.ConnectionOptions = {}): RawPeer {
  const all: tls.ConnectionOptions = { port, host: '127.0.0.1', rejectUnauthorized: false, ...options };
  return new RawPeer(tls.connect(Object.assign(all, { allowHalfOpen: true })));
}

/** What a client of Node's shows. */
export function shown(pair: Pair): { readonly cert: string; readonly key: string } {
  return { cert: pair.certificatePem, key: pair.keyPem };
}
