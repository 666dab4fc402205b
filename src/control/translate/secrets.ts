import { SECRET_TYPE } from '../../resource/type-url.ts';
import type { ResourceLiteral } from '../snapshot/resource-literal.ts';
import type { CaRoots, LeafCertificate } from './identity.ts';

/** The names under which a sidecar asks for its own certificate with its key, and for whom to trust; as in other meshes. */
export const LEAF_SECRET = 'default';
export const ROOTS_SECRET = 'ROOTCA';

/** The certificate of a service and its key. What is made here holds the key in the open: it is for that service's sidecars alone. */
export function leafSecret(leaf: LeafCertificate): ResourceLiteral {
  const tlsCertificate = {
    certificateChain: { inlineString: leaf.certificatePem },
    privateKey: { inlineString: leaf.privateKey.reveal() },
  };
  return { typeUrl: SECRET_TYPE, name: LEAF_SECRET, json: { name: LEAF_SECRET, tlsCertificate } };
}

/** All roots of now: while one is being replaced, leaves of both are good. */
export function rootsSecret({ roots }: CaRoots): ResourceLiteral {
  const inlineString = roots.map(({ certificatePem }) => withNewline(certificatePem)).join('');
  const json = { name: ROOTS_SECRET, validationContext: { trustedCa: { inlineString } } };
  return { typeUrl: SECRET_TYPE, name: ROOTS_SECRET, json };
}

function withNewline(pem: string): string {
  return pem.endsWith('\n') ? pem : `${pem}\n`;
}
