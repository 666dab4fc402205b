import { constants, X509Certificate } from 'node:crypto';
import { createSecureContext, getCiphers, type SecureContext, type SecureContextOptions } from 'node:tls';
import type { TlsParameters } from '../../resource/transport-socket.ts';
import type { ResolvedTls } from './tls-materials.ts';

const PEM_CERTIFICATE =
  /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]+-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g;

/** The suites of TLS 1.3, which a list of `cipher_suites` does not speak about. */
const TLS13_SUITES = 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256';

let contexts = 0;

/** As `makeContext`, with an Error that says in one line what is wrong. */
export function compileSecureContext(resolved: ResolvedTls, parameters: TlsParameters): SecureContext {
  try {
    return makeContext(resolved, parameters);
  } catch (error) {
    throw new Error(openSslReason(error), { cause: error });
  }
}

/**
 * OpenSSL's context of a resolved TLS context. No session is ever taken
 * up again: a resumed one would carry what was verified under other roots and other names (CVE-2025-23419). Tickets are off,
 * and the cache of sessions has nothing behind it.
 */
function makeContext(resolved: ResolvedTls, parameters: TlsParameters): SecureContext {
  const { certificates, trustedCaPem } = resolved;
  const { minimumVersion, maximumVersion, ecdhCurves, signatureAlgorithms } = parameters;
  const options: SecureContextOptions = {
    cert: certificates.map(({ chainPem }) => chainPem),
    key: certificates.map(({ keyPem }) => keyPem),
    // An empty list trusts nobody; without one Node would trust the public roots.
    ca: trustedCaPem === undefined ? [] : certificatesIn(trustedCaPem),
    // As Envoy: an intermediate that is listed is trusted by itself.
    allowPartialTrustChain: true,
    minVersion: minimumVersion,
    maxVersion: maximumVersion,
    honorCipherOrder: true,
    secureOptions: constants.SSL_OP_NO_TICKET,
    sessionIdContext: `weft-${contexts++}`,
    ...cipherOptions(parameters),
    ...(ecdhCurves.length > 0 ? { ecdhCurve: ecdhCurves.join(':') } : {}),
    ...(signatureAlgorithms.length > 0 ? { sigalgs: signatureAlgorithms.join(':') } : {}),
  };
  return createSecureContext(options);
}

/** What keeps a context from being used now, one line each; empty where nothing does. */
export function secureContextFaults(
  resolved: ResolvedTls,
  parameters: TlsParameters,
  wallMs: number,
): readonly string[] {
  const faults: string[] = [];
  for (const { chainPem } of resolved.certificates) {
    const fault = certificateFault(chainPem, wallMs);
    if (fault !== undefined) faults.push(fault);
  }
  if (resolved.trustedCaPem !== undefined) {
    const fault = trustFault(resolved.trustedCaPem);
    if (fault !== undefined) faults.push(fault);
  }
  faults.push(...unknownSuites(parameters));
  if (faults.length > 0) return faults;
  try {
    compileSecureContext(resolved, parameters);
    return sameKindFaults(resolved);
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
}

/** Every certificate of a text in PEM. */
export function certificatesIn(pem: string): string[] {
  return pem.match(PEM_CERTIFICATE) ?? [];
}

function certificateFault(chainPem: string, wallMs: number): string | undefined {
  const [leafPem] = certificatesIn(chainPem);
  if (leafPem === undefined) return 'the certificate chain holds no certificate in PEM';
  const leaf = parsed(leafPem);
  if (leaf === undefined) return 'the certificate chain begins with what is no certificate';
  if (leaf.validToDate.getTime() > wallMs) return undefined;
  return `the certificate ${leaf.serialNumber} has expired (${leaf.validToDate.toISOString()})`;
}

function trustFault(caPem: string): string | undefined {
  const certificates = certificatesIn(caPem);
  if (certificates.length === 0) return 'trusted_ca holds no certificate in PEM';
  const bad = certificates.findIndex((pem) => parsed(pem) === undefined);
  return bad < 0 ? undefined : `trusted_ca: certificate ${bad + 1} of ${certificates.length} cannot be read`;
}

/** OpenSSL keeps one certificate for each kind of key, the last: the others would never be shown. */
function sameKindFaults({ certificates }: ResolvedTls): readonly string[] {
  const kinds = certificates.map(({ chainPem }) => parsed(chainPem)?.publicKey.asymmetricKeyType);
  const twice = kinds.find((kind, index) => kinds.indexOf(kind) !== index);
  if (twice === undefined) return [];
  return [
    `two certificates with keys of the same kind (${twice}): give each a filter chain of its own, by server_names`,
  ];
}

function parsed(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

/** Envoy writes suites of equal worth as `[a|b]`. */
function suitesOf({ cipherSuites }: TlsParameters): readonly string[] {
  return cipherSuites.flatMap((entry) => entry.replace(/^\[(.*)\]$/, '$1').split('|'));
}

function cipherOptions(parameters: TlsParameters): { ciphers?: string } {
  const suites = suitesOf(parameters);
  return suites.length === 0 ? {} : { ciphers: [TLS13_SUITES, ...suites].join(':') };
}

function unknownSuites(parameters: TlsParameters): readonly string[] {
  const known = new Set(getCiphers().map((name) => name.toUpperCase()));
  return suitesOf(parameters)
    .filter((name) => !known.has(name.toUpperCase()))
    .map(
      (name) =>
        `tls_params.cipher_suites: ${name} is not known to OpenSSL; use its names, as ECDHE-ECDSA-AES128-GCM-SHA256`,
    );
}

/** `error:05800074:x509 certificate routines::key values mismatch` says it in its last part. */
function openSslReason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const reason = message.split(':').at(-1)?.trim() ?? message;
  if (reason === 'key values mismatch') return 'the private key does not belong to the certificate';
  return `OpenSSL does not take it: ${reason === '' ? message : reason}`;
}
