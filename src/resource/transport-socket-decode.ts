import { decodeDataSource } from './data-source-decode.ts';
import type { StringMatcher } from './matcher.ts';
import { decodeStringMatcher } from './matcher-decode.ts';
import type { MessageReader } from './message-reader.ts';
import type { CommonTlsContext, TransportSocket } from './transport-socket.ts';

const RAW_BUFFER = 'envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer';
const UPSTREAM_PROXY_PROTOCOL = 'envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport';
const DOWNSTREAM_TLS = 'envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext';
const UPSTREAM_TLS = 'envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext';

/** envoy.config.core.v3.TransportSocket on the side where it stands; undefined where absent, which means plaintext. */
export function decodeTransportSocket(
  reader: MessageReader | undefined,
  side: 'downstream' | 'upstream',
): TransportSocket | undefined {
  if (reader === undefined) return undefined;
  const context = reader.opened('typed_config');
  if (context === undefined || context.typeName === RAW_BUFFER) return { kind: 'rawBuffer' };
  if (context.typeName === DOWNSTREAM_TLS && side === 'downstream') return decodeDownstreamTls(context);
  if (context.typeName === UPSTREAM_TLS && side === 'upstream') return decodeUpstreamTls(context);
  if (context.typeName === UPSTREAM_PROXY_PROTOCOL && side === 'upstream') return decodeProxyProtocol(context);
  reader.fault('typed_config', `transport socket ${context.typeName} is not supported ${side}`);
  return { kind: 'rawBuffer' };
}

const PROXY_PROTOCOL_VERSIONS = { V1: 'v1', V2: 'v2' } as const;

/** Only around plaintext: a TLS context read past would send in the clear what was to be secret. */
function decodeProxyProtocol(reader: MessageReader): TransportSocket {
  const config = reader.message('config');
  config?.refuse('pass_through_tlvs');
  const inner = reader.requiredMessage('transport_socket');
  const context = inner?.opened('typed_config');
  if (inner !== undefined && context !== undefined && context.typeName !== RAW_BUFFER) {
    inner.fault('typed_config', `${context.typeName} is not supported inside the PROXY protocol; use raw_buffer`);
  }
  return { kind: 'upstreamProxyProtocol', version: config?.choice('version', PROXY_PROTOCOL_VERSIONS, 'v1') ?? 'v1' };
}

/** Session tickets, resumption and OCSP only tune the handshake; they are read past. */
function decodeDownstreamTls(reader: MessageReader): TransportSocket {
  if (reader.wrappedBoolean('require_sni') === true) reader.refuse('require_sni');
  const common = decodeCommonTls(reader.requiredMessage('common_tls_context'));
  const requireClientCertificate = reader.wrappedBoolean('require_client_certificate') ?? false;
  if (common.certificates.length === 0) {
    reader.fault('common_tls_context.tls_certificates', 'must hold the certificate to present');
  }
  if (requireClientCertificate && common.trustedCaPem === undefined) {
    reader.fault('common_tls_context.validation_context', 'must hold trusted_ca: client certificates are required');
  }
  return { kind: 'downstreamTls', common, requireClientCertificate };
}

function decodeUpstreamTls(reader: MessageReader): TransportSocket {
  reader.refuse('allow_renegotiation');
  const common = decodeCommonTls(reader.requiredMessage('common_tls_context'));
  return { kind: 'upstreamTls', common, sni: reader.string('sni') };
}

function decodeCommonTls(reader: MessageReader | undefined): CommonTlsContext {
  if (reader === undefined) return NO_TLS;
  reader.refuse(
    'tls_certificate_sds_secret_configs',
    'tls_certificate_provider_instance',
    'validation_context_sds_secret_config',
    'custom_handshaker',
  );
  const combined = reader.message('combined_validation_context');
  combined?.refuse('validation_context_sds_secret_config');
  const validation = combined?.message('default_validation_context') ?? reader.message('validation_context');
  return {
    certificates: reader.messages('tls_certificates').flatMap(decodeCertificate),
    trustedCaPem: decodeDataSource(validation?.message('trusted_ca')),
    matchSubjectAltNames: decodeSubjectAltNames(validation),
    alpnProtocols: reader.strings('alpn_protocols'),
    minimumVersion: decodeMinimumVersion(reader.message('tls_params')),
  };
}

const NO_TLS: CommonTlsContext = {
  certificates: [],
  trustedCaPem: undefined,
  matchSubjectAltNames: [],
  alpnProtocols: [],
  minimumVersion: 'TLSv1.2',
};

function decodeCertificate(reader: MessageReader): CommonTlsContext['certificates'] {
  reader.refuse('pkcs12', 'private_key_provider', 'password');
  const certificateChainPem = decodeDataSource(reader.requiredMessage('certificate_chain'));
  const privateKeyPem = decodeDataSource(reader.requiredMessage('private_key'));
  if (certificateChainPem === undefined || privateKeyPem === undefined) return [];
  return [{ certificateChainPem, privateKeyPem }];
}

/** Everything that narrows whom we trust is obeyed or refused, never read past. */
function decodeSubjectAltNames(validation: MessageReader | undefined): readonly StringMatcher[] {
  if (validation === undefined) return [];
  validation.refuse(
    'ca_certificate_provider_instance',
    'system_root_certs',
    'verify_certificate_spki',
    'verify_certificate_hash',
    'require_signed_certificate_timestamp',
    'crl',
    'allow_expired_certificate',
    'trust_chain_verification',
    'custom_validator_config',
    'max_verify_depth',
  );
  const typed = validation.messages('match_typed_subject_alt_names').map((matcher) => {
    matcher.choice('san_type', { URI: 'uri', DNS: 'dns', IP_ADDRESS: 'ip', EMAIL: 'email' }, 'uri');
    return decodeStringMatcher(matcher.requiredMessage('matcher'));
  });
  return [...typed, ...validation.messages('match_subject_alt_names').map(decodeStringMatcher)];
}

const TLS_VERSIONS = { TLS_AUTO: 'TLSv1.2', TLSv1_2: 'TLSv1.2', TLSv1_3: 'TLSv1.3' } as const;

/** Cipher suites and curves are the platform's; a list of them is refused so that nobody counts on one. */
function decodeMinimumVersion(reader: MessageReader | undefined): CommonTlsContext['minimumVersion'] {
  if (reader === undefined) return 'TLSv1.2';
  reader.refuse('cipher_suites', 'ecdh_curves', 'signature_algorithms');
  reader.choice('tls_maximum_protocol_version', { TLS_AUTO: true, TLSv1_3: true }, true);
  return reader.choice('tls_minimum_protocol_version', TLS_VERSIONS, 'TLSv1.2');
}
