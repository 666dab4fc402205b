import type { Json } from '../snapshot/resource-literal.ts';
import { ADS_CONFIG_SOURCE } from './clusters.ts';
import type { MeshEntry, TlsDirection } from './config-entries.ts';
import type { FailoverTarget, Target } from './discovery-chain.ts';
import type { MutualTlsTerms } from './mutual-tls.ts';
import { targetName } from './names.ts';
import { isHttp, isHttp2, type Protocol } from './protocol.ts';
import { LEAF_SECRET, ROOTS_SECRET } from './secrets.ts';
import { serviceUri } from './spiffe.ts';

const TLS = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3';

/**
 * Where an endpoint says that it is to be spoken to in plaintext, though its cluster is for TLS: an instance without a sidecar.
 * Only a permissive mesh has such endpoints.
 */
export const PLAINTEXT_METADATA: Json = { 'envoy.transport_socket_match': { plaintext: true } };

/** What a sidecar's public listener shows of itself and wants of its callers: the leaf of its service, and a leaf of the mesh. */
export function inboundTlsJson(protocol: Protocol, mesh: MeshEntry | undefined): Json {
  const commonTlsContext = {
    ...parametersJson(mesh?.tls?.incoming),
    tlsCertificateSdsSecretConfigs: [secretJson(LEAF_SECRET)],
    validationContextSdsSecretConfig: secretJson(ROOTS_SECRET),
    ...(isHttp(protocol) ? { alpnProtocols: isHttp2(protocol) ? ['h2', 'http/1.1'] : ['http/1.1'] } : {}),
  };
  return {
    name: 'envoy.transport_sockets.tls',
    typedConfig: { '@type': `${TLS}.DownstreamTlsContext`, commonTlsContext, requireClientCertificate: true },
  };
}

export interface UpstreamIdentity {
  readonly sni: string;
  /** Whose certificates will do: SubjectAltNameMatchers. */
  readonly names: readonly Json[];
}

/** As Consul names a target, and one certificate for each service that its instances may be of. */
export function targetIdentity(target: Target, trustDomain: string): UpstreamIdentity {
  const accepted: readonly FailoverTarget[] = [target, ...target.failover];
  const uris = new Set(accepted.map(({ service, datacenter }) => serviceUri(trustDomain, datacenter, service)));
  return {
    sni: targetName(target, trustDomain),
    names: [...uris].map((exact) => ({ sanType: 'URI', matcher: { exact } })),
  };
}

/** The part of a cluster that is about TLS: nothing in a mesh without it. */
export function upstreamTransportJson(
  terms: MutualTlsTerms | undefined,
  mesh: MeshEntry | undefined,
  identity: UpstreamIdentity,
): Json {
  if (terms === undefined) return {};
  const commonTlsContext = {
    ...parametersJson(mesh?.tls?.outgoing),
    tlsCertificateSdsSecretConfigs: [secretJson(LEAF_SECRET)],
    combinedValidationContext: {
      defaultValidationContext: { matchTypedSubjectAltNames: identity.names },
      validationContextSdsSecretConfig: secretJson(ROOTS_SECRET),
    },
  };
  return {
    transportSocket: {
      name: 'envoy.transport_sockets.tls',
      typedConfig: { '@type': `${TLS}.UpstreamTlsContext`, commonTlsContext, sni: identity.sni },
    },
    ...(terms.mode === 'permissive' ? { transportSocketMatches: [PLAINTEXT_MATCH] } : {}),
  };
}

const PLAINTEXT_MATCH: Json = {
  name: 'plaintext',
  match: { plaintext: true },
  transportSocket: {
    name: 'envoy.transport_sockets.raw_buffer',
    typedConfig: { '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer' },
  },
};

function secretJson(name: string): Json {
  return { name, sdsConfig: ADS_CONFIG_SOURCE };
}

/** `mesh.TLS.Incoming` or `.Outgoing` as TlsParameters; Envoy's defaults where nothing is written, as in Consul. */
function parametersJson(direction: TlsDirection | undefined): Json {
  if (direction === undefined) return {};
  const { minimumVersion, maximumVersion, cipherSuites } = direction;
  const tlsParams = {
    ...(minimumVersion === undefined ? {} : { tlsMinimumProtocolVersion: minimumVersion }),
    ...(maximumVersion === undefined ? {} : { tlsMaximumProtocolVersion: maximumVersion }),
    ...(cipherSuites.length === 0 ? {} : { cipherSuites }),
  };
  return Object.keys(tlsParams).length === 0 ? {} : { tlsParams };
}
