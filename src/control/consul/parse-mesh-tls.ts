import { z } from 'zod';
import type { MeshTls, TlsDirection, TlsVersionWord } from '../translate/config-entries.ts';
import { list, text } from './fields.ts';

/** From the oldest on. */
const VERSIONS = ['TLSv1_0', 'TLSv1_1', 'TLSv1_2', 'TLSv1_3'] as const satisfies readonly TlsVersionWord[];

/** The suites that Consul takes, in its names (IANA's) and in OpenSSL's, which proxies read. */
const CIPHER_SUITES: ReadonlyMap<string, string> = new Map([
  ['TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256', 'ECDHE-ECDSA-AES128-GCM-SHA256'],
  ['TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384', 'ECDHE-ECDSA-AES256-GCM-SHA384'],
  ['TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256', 'ECDHE-ECDSA-CHACHA20-POLY1305'],
  ['TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA', 'ECDHE-ECDSA-AES128-SHA'],
  ['TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA', 'ECDHE-ECDSA-AES256-SHA'],
  ['TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256', 'ECDHE-RSA-AES128-GCM-SHA256'],
  ['TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384', 'ECDHE-RSA-AES256-GCM-SHA384'],
  ['TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256', 'ECDHE-RSA-CHACHA20-POLY1305'],
  ['TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA', 'ECDHE-RSA-AES128-SHA'],
  ['TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA', 'ECDHE-RSA-AES256-SHA'],
  ['TLS_RSA_WITH_AES_128_GCM_SHA256', 'AES128-GCM-SHA256'],
  ['TLS_RSA_WITH_AES_256_GCM_SHA384', 'AES256-GCM-SHA384'],
  ['TLS_RSA_WITH_AES_128_CBC_SHA', 'AES128-SHA'],
  ['TLS_RSA_WITH_AES_256_CBC_SHA', 'AES256-SHA'],
]);

const version = text
  .refine(
    (word) => word === '' || word === 'TLS_AUTO' || isVersion(word),
    `must be TLS_AUTO or one of ${VERSIONS.join(', ')}`,
  )
  .transform((word) => (isVersion(word) ? word : undefined));

const cipherSuite = z.string().transform((name, context) => {
  const known = CIPHER_SUITES.get(name);
  if (known !== undefined) return known;
  context.addIssue({
    code: 'custom',
    message: `no cipher suite of Consul's: "${name}"; use one of ${[...CIPHER_SUITES.keys()].join(', ')}`,
  });
  return z.NEVER;
});

const direction = z
  .object({ TLSMinVersion: version, TLSMaxVersion: version, CipherSuites: list(cipherSuite) })
  .nullish()
  .transform((value, context): TlsDirection | undefined => {
    if (!value) return undefined;
    const { TLSMinVersion: minimumVersion, TLSMaxVersion: maximumVersion, CipherSuites: cipherSuites } = value;
    const refuse = (field: string, message: string): never => {
      context.addIssue({ code: 'custom', path: [field], message });
      return z.NEVER;
    };
    if (minimumVersion !== undefined && maximumVersion !== undefined && isBelow(maximumVersion, minimumVersion)) {
      return refuse('TLSMaxVersion', `${maximumVersion} is below TLSMinVersion ${minimumVersion}`);
    }
    // As Consul: a list that could have no effect is a mistake.
    if (minimumVersion === 'TLSv1_3' && cipherSuites.length > 0) {
      return refuse('CipherSuites', 'are of TLS 1.2 and older, and TLSMinVersion TLSv1_3 lets none of those in');
    }
    const isEmpty = minimumVersion === undefined && maximumVersion === undefined && cipherSuites.length === 0;
    return isEmpty ? undefined : { minimumVersion, maximumVersion, cipherSuites };
  });

/** `mesh.TLS`. A word that is none makes the entry faulty: a mesh is not to be less safe than what was meant. */
export const meshTls = z
  .object({ Incoming: direction, Outgoing: direction })
  .nullish()
  .transform((value): MeshTls | undefined => {
    if (!value || (value.Incoming === undefined && value.Outgoing === undefined)) return undefined;
    return { incoming: value.Incoming, outgoing: value.Outgoing };
  });

function isVersion(word: string): word is TlsVersionWord {
  return VERSIONS.some((known) => known === word);
}

function isBelow(a: TlsVersionWord, b: TlsVersionWord): boolean {
  return VERSIONS.indexOf(a) < VERSIONS.indexOf(b);
}
