import { describe, expect, test } from 'vitest';
import { decodeStaticJson } from './resource.ts';
import { cluster, decodedOk, faultFields, type Json, refused, typed } from './testing/valid-resources.ts';
import { CLUSTER_TYPE, SECRET_TYPE } from './type-url.ts';

const PAIR = { certificateChain: { inlineString: 'CHAIN' }, privateKey: { inlineString: 'KEY' } };
const TYPED = 'transport_socket.typed_config';
const CONTEXT = `${TYPED}.common_tls_context`;

function upstream(commonTlsContext: Json, fields: Json = {}): Json {
  const typedConfig = typed('envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext', {
    commonTlsContext,
    ...fields,
  });
  return cluster({ transportSocket: { name: 'tls', typedConfig } });
}

function contextOf(commonTlsContext: Json) {
  const { transportSocket } = decodedOk(CLUSTER_TYPE, upstream(commonTlsContext));
  if (transportSocket?.kind !== 'upstreamTls') throw new Error('no TLS context');
  return transportSocket.common;
}

describe('a TLS context', () => {
  test('names the secrets that it needs, alone and combined with a default', () => {
    const sds = (name: string): Json => ({ name, sdsConfig: { ads: {}, resourceApiVersion: 'V3' } });
    const alone = contextOf({
      tlsCertificateSdsSecretConfigs: [sds('leaf')],
      validationContextSdsSecretConfig: sds('roots'),
    });
    expect(alone).toMatchObject({ certificateSecretNames: ['leaf'], validationSecretName: 'roots' });
    const combined = contextOf({
      combinedValidationContext: {
        defaultValidationContext: { matchSubjectAltNames: [{ exact: 'spiffe://a/b' }] },
        validationContextSdsSecretConfig: sds('roots'),
      },
    });
    expect(combined.validationSecretName).toBe('roots');
    expect(combined.validation?.matchSubjectAltNames).toMatchObject([{ sanType: 'any', matcher: { kind: 'exact' } }]);
  });

  test('keeps the kind of name that a matcher asks for', () => {
    const matchers = [
      { sanType: 'DNS', matcher: { exact: 'a' } },
      { sanType: 'EMAIL', matcher: { exact: 'a' } },
      { sanType: 'IP_ADDRESS', matcher: { exact: '::1' } },
    ];
    const validationContext = { trustedCa: { inlineString: 'CA' }, matchTypedSubjectAltNames: matchers };
    const { validation } = contextOf({ validationContext });
    expect(validation?.matchSubjectAltNames.map(({ sanType }) => sanType)).toEqual(['dns', 'email', 'ip']);
  });

  test('takes files, versions, ciphers and protocols as they are written', () => {
    const common = contextOf({
      tlsCertificates: [{ certificateChain: { filename: '/tls/chain.pem' }, privateKey: { filename: '/tls/key.pem' } }],
      alpnProtocols: ['h2', 'http/1.1'],
      tlsParams: { tlsMaximumProtocolVersion: 'TLSv1_2', cipherSuites: ['ECDHE-RSA-AES128-GCM-SHA256'] },
    });
    expect(common.certificates[0]?.privateKey).toEqual({ kind: 'file', path: '/tls/key.pem' });
    expect(common.alpnProtocols).toEqual(['h2', 'http/1.1']);
    expect(common.parameters).toMatchObject({ minimumVersion: 'TLSv1.2', maximumVersion: 'TLSv1.2' });
    expect(common.parameters.cipherSuites).toEqual(['ECDHE-RSA-AES128-GCM-SHA256']);
  });
});

describe('a TLS context is refused for', () => {
  const sds = { name: 'x', sdsConfig: { path: '/etc/x' } };
  refused(CLUSTER_TYPE, [
    [
      'names that are checked where anybody may sign',
      upstream({ validationContext: { matchSubjectAltNames: [{ exact: 'a' }] } }),
      `${CONTEXT}.validation_context`,
    ],
    [
      'a secret from a file',
      upstream({ tlsCertificateSdsSecretConfigs: [sds] }),
      `${CONTEXT}.tls_certificate_sds_secret_configs[0].sds_config.path`,
    ],
    [
      'versions the wrong way round',
      upstream({ tlsParams: { tlsMinimumProtocolVersion: 'TLSv1_3', tlsMaximumProtocolVersion: 'TLSv1_2' } }),
      `${CONTEXT}.tls_params.tls_maximum_protocol_version`,
    ],
    [
      'a name of another kind than is known',
      upstream({
        validationContext: {
          trustedCa: { inlineString: 'CA' },
          matchTypedSubjectAltNames: [{ sanType: 'OTHER_NAME', matcher: { exact: 'a' } }],
        },
      }),
      `${CONTEXT}.validation_context.match_typed_subject_alt_names[0].san_type`,
    ],
    [
      'a revocation list',
      upstream({ validationContext: { crl: { inlineString: 'x' } } }),
      `${CONTEXT}.validation_context.crl`,
    ],
    ['an address as server name', upstream({}, { sni: '127.0.0.1' }), `${TYPED}.sni`],
    ['a server name with a line break', upstream({}, { sni: 'a\nb' }), `${TYPED}.sni`],
    ['an empty protocol', upstream({ alpnProtocols: [''] }), `${CONTEXT}.alpn_protocols[0]`],
  ]);
});

describe('a secret', () => {
  test('is a certificate, or whom to trust', () => {
    expect(decodedOk(SECRET_TYPE, { name: 'leaf', tlsCertificate: PAIR })).toEqual({
      kind: 'tlsCertificate',
      name: 'leaf',
      certificate: { certificateChain: { kind: 'inline', text: 'CHAIN' }, privateKey: { kind: 'inline', text: 'KEY' } },
    });
    const roots = { name: 'roots', validationContext: { trustedCa: { inlineString: 'CA' } } };
    expect(decodedOk(SECRET_TYPE, roots)).toMatchObject({ kind: 'validationContext', name: 'roots' });
    expect(decodedOk(SECRET_TYPE, { name: 'keys', sessionTicketKeys: {} }).kind).toBe('sessionTicketKeys');
  });

  test('without content, or of a kind that nothing uses, is refused', () => {
    expect(faultFields(decodeStaticJson(SECRET_TYPE, { name: 'x' }))).toHaveLength(1);
    const generic = { name: 'x', genericSecret: { secret: { inlineString: 's' } } };
    expect(faultFields(decodeStaticJson(SECRET_TYPE, generic))).toEqual(['generic_secret']);
    const half = { name: 'x', tlsCertificate: { certificateChain: { inlineString: 'c' } } };
    expect(faultFields(decodeStaticJson(SECRET_TYPE, half))).toEqual(['tls_certificate.private_key']);
  });
});
