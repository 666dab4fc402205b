import { checkConfigSource } from './config-source-decode.ts';
import { decodeFileOrInline } from './data-source-decode.ts';
import { decodeStringMatcher } from './matcher-decode.ts';
import type { MessageReader } from './message-reader.ts';
import {
  type CertificateValidation,
  type CommonTlsContext,
  DEFAULT_TLS_PARAMETERS,
  EMPTY_TLS_CONTEXT,
  type SubjectAltNameMatcher,
  type TlsCertificate,
  type TlsParameters,
  type TlsVersion,
} from './transport-socket.ts';

/** CommonTlsContext. Everything that narrows whom we trust is obeyed or refused, never read past. */
export function decodeCommonTls(reader: MessageReader | undefined): CommonTlsContext {
  if (reader === undefined) return EMPTY_TLS_CONTEXT;
  reader.refuse('tls_certificate_provider_instance', 'custom_handshaker');
  const combined = reader.message('combined_validation_context');
  const ofSecret = combined ?? reader;
  const validation = combined?.message('default_validation_context') ?? reader.message('validation_context');
  return {
    certificates: reader.messages('tls_certificates').flatMap((one) => decodeTlsCertificate(one) ?? []),
    certificateSecretNames: reader.messages('tls_certificate_sds_secret_configs').map(decodeSecretName),
    validation: validation === undefined ? undefined : decodeCertificateValidation(validation),
    validationSecretName: decodeOptionalSecretName(ofSecret.message('validation_context_sds_secret_config')),
    alpnProtocols: decodeAlpn(reader),
    parameters: decodeParameters(reader.message('tls_params')),
  };
}

/** TlsCertificate; undefined, and a fault, where a part is missing. */
export function decodeTlsCertificate(reader: MessageReader): TlsCertificate | undefined {
  reader.refuse('pkcs12', 'private_key_provider', 'password');
  const certificateChain = decodeFileOrInline(reader.requiredMessage('certificate_chain'));
  const privateKey = decodeFileOrInline(reader.requiredMessage('private_key'));
  if (certificateChain === undefined || privateKey === undefined) return undefined;
  return { certificateChain, privateKey };
}

/** CertificateValidationContext. */
export function decodeCertificateValidation(reader: MessageReader): CertificateValidation {
  reader.refuse(
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
  const typed = reader.messages('match_typed_subject_alt_names').map(decodeTypedMatcher);
  const untyped = reader
    .messages('match_subject_alt_names')
    .map((matcher): SubjectAltNameMatcher => ({ sanType: 'any', matcher: decodeStringMatcher(matcher) }));
  return {
    trustedCa: decodeFileOrInline(reader.message('trusted_ca')),
    matchSubjectAltNames: [...typed, ...untyped],
  };
}

const SAN_TYPES = { URI: 'uri', DNS: 'dns', IP_ADDRESS: 'ip', EMAIL: 'email' } as const;

function decodeTypedMatcher(reader: MessageReader): SubjectAltNameMatcher {
  reader.refuse('oid');
  const sanType = reader.choice('san_type', SAN_TYPES, 'uri');
  return { sanType, matcher: decodeStringMatcher(reader.requiredMessage('matcher')) };
}

function decodeSecretName(reader: MessageReader): string {
  checkConfigSource(reader.message('sds_config'));
  return reader.requiredString('name');
}

function decodeOptionalSecretName(reader: MessageReader | undefined): string | undefined {
  return reader === undefined ? undefined : decodeSecretName(reader);
}

const MAX_PROTOCOL_BYTES = 255;

/** RFC 7301 §3.1: a name is 1 to 255 bytes long. */
function decodeAlpn(reader: MessageReader): readonly string[] {
  const protocols = reader.strings('alpn_protocols');
  protocols.forEach((protocol, index) => {
    const { length } = new TextEncoder().encode(protocol);
    if (length < 1 || length > MAX_PROTOCOL_BYTES) {
      reader.fault(`alpn_protocols[${index}]`, `must be from 1 to ${MAX_PROTOCOL_BYTES} bytes, not ${length}`);
    }
  });
  return protocols;
}

const VERSIONS = { TLSv1_0: 'TLSv1', TLSv1_1: 'TLSv1.1', TLSv1_2: 'TLSv1.2', TLSv1_3: 'TLSv1.3' } as const;
const ORDER: readonly TlsVersion[] = Object.values(VERSIONS);

/** Whether the platform has a cipher suite, curve or algorithm of that name is found out where contexts are made. */
function decodeParameters(reader: MessageReader | undefined): TlsParameters {
  if (reader === undefined) return DEFAULT_TLS_PARAMETERS;
  const { minimumVersion: lowest, maximumVersion: highest } = DEFAULT_TLS_PARAMETERS;
  const minimumVersion = reader.choice('tls_minimum_protocol_version', { TLS_AUTO: lowest, ...VERSIONS }, lowest);
  const maximumVersion = reader.choice('tls_maximum_protocol_version', { TLS_AUTO: highest, ...VERSIONS }, highest);
  if (ORDER.indexOf(minimumVersion) > ORDER.indexOf(maximumVersion)) {
    reader.fault('tls_maximum_protocol_version', `${maximumVersion} is below the minimum, ${minimumVersion}`);
  }
  return {
    minimumVersion,
    maximumVersion,
    cipherSuites: reader.strings('cipher_suites'),
    ecdhCurves: reader.strings('ecdh_curves'),
    signatureAlgorithms: reader.strings('signature_algorithms'),
  };
}
