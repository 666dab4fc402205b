import { type CertificateExtensions, EXTENDED_KEY_USAGE } from './certificate-extensions.ts';

const SCHEME = 'spiffe://';
/** SPIFFE-ID §2.3. */
const MAX_ID_LENGTH = 2_048;
/** SPIFFE-ID §2.1 and §2.2: lower case letters, digits, dots, dashes and underscores; no port, no user, no percent-encoding. */
const TRUST_DOMAIN = /^[a-z0-9._-]{1,255}$/;
const PATH_SEGMENT = /^[A-Za-z0-9._-]+$/;

export function isSpiffeUri(uri: string): boolean {
  return uri.slice(0, SCHEME.length).toLowerCase() === SCHEME;
}

/** What keeps a certificate from being the X.509-SVID of a workload (SPIFFE X509-SVID §2 to §5); undefined where nothing does. */
export function svidFault(certificate: CertificateExtensions): string | undefined {
  const { uriNames, isCertificateAuthority, keyUsage, extendedKeyUsage } = certificate;
  const [id] = uriNames;
  if (id === undefined) return 'has no SPIFFE ID';
  if (uriNames.length > 1) return `has ${uriNames.length} URI names; a SPIFFE certificate has exactly one`;
  const idFault = spiffeIdFault(id);
  if (idFault !== undefined) return `${id}: ${idFault}`;
  if (isCertificateAuthority) return 'is a certificate authority; those sign and do not speak for a workload';
  if (keyUsage === undefined) return 'does not say what its key is for (keyUsage)';
  if (keyUsage.keyCertSign || keyUsage.crlSign) return 'has a key that signs certificates';
  if (!keyUsage.digitalSignature) return 'has a key that is not for signatures (digitalSignature)';
  if (extendedKeyUsage === undefined) return undefined;
  const isForBoth =
    extendedKeyUsage.includes(EXTENDED_KEY_USAGE.serverAuth) &&
    extendedKeyUsage.includes(EXTENDED_KEY_USAGE.clientAuth);
  return isForBoth ? undefined : 'is not for both ends of a connection (serverAuth and clientAuth)';
}

/** What is wrong with the ID of a workload; the scheme's case and the trust domain's are part of the whole ID that is compared. */
export function spiffeIdFault(id: string): string | undefined {
  if (!id.startsWith(SCHEME)) return 'is no SPIFFE ID';
  if (id.length > MAX_ID_LENGTH) return `is longer than ${MAX_ID_LENGTH} bytes`;
  const [trustDomain = '', ...segments] = id.slice(SCHEME.length).split('/');
  if (!TRUST_DOMAIN.test(trustDomain)) return 'has no valid trust domain';
  if (segments.length === 0) return 'has no path: it names a whole trust domain';
  const isPlain = segments.every((segment) => PATH_SEGMENT.test(segment) && segment !== '.' && segment !== '..');
  return isPlain ? undefined : 'has a path that is not canonical';
}
