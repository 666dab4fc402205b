import { ipFamily } from './ip-literal.ts';
import type { MessageReader } from './message-reader.ts';
import { decodeCommonTls } from './tls-context-decode.ts';
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
  if (common.certificates.length === 0 && common.certificateSecretNames.length === 0) {
    reader.fault('common_tls_context.tls_certificates', 'must hold the certificate to present');
  }
  const isVerified = common.validation?.trustedCa !== undefined || common.validationSecretName !== undefined;
  if (requireClientCertificate && !isVerified) {
    reader.fault('common_tls_context.validation_context', 'must hold trusted_ca: client certificates are required');
  }
  refuseNamesWithoutTrust(reader, common);
  return { kind: 'downstreamTls', common, requireClientCertificate };
}

function decodeUpstreamTls(reader: MessageReader): TransportSocket {
  reader.refuse('allow_renegotiation');
  const common = decodeCommonTls(reader.requiredMessage('common_tls_context'));
  refuseNamesWithoutTrust(reader, common);
  return { kind: 'upstreamTls', common, sni: decodeSni(reader) };
}

/** A name proves nothing where anybody may have signed it; Envoy refuses it too. */
function refuseNamesWithoutTrust(reader: MessageReader, { validation, validationSecretName }: CommonTlsContext): void {
  if (validation === undefined || validationSecretName !== undefined) return;
  if (validation.matchSubjectAltNames.length === 0 || validation.trustedCa !== undefined) return;
  reader.fault('common_tls_context.validation_context', 'must hold trusted_ca: subject alternative names are checked');
}

const MAX_SNI_LENGTH = 255;
/** RFC 6066 §3: a DNS name in ASCII, and no IP address. Underscores and the like occur in practice. */
const SNI = /^[\x21-\x7e]*$/;

function decodeSni(reader: MessageReader): string {
  const sni = reader.string('sni');
  if (sni.length > MAX_SNI_LENGTH || !SNI.test(sni)) {
    reader.fault('sni', `must be a name of at most ${MAX_SNI_LENGTH} printable ASCII characters`);
    return '';
  }
  if (ipFamily(sni) !== 0) reader.fault('sni', 'must be a name, not an IP address (RFC 6066 §3); leave it out');
  return sni;
}
