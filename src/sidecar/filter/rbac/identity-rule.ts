import type { StringMatcher } from '../../../resource/matcher.ts';
import type { PeerCertificate } from '../../../transport-socket/transport-socket.ts';
import { compileStringMatcher } from '../../route/route.ts';
import type { RbacSubject } from './rbac-subject.ts';
import { guarded, MAYBE, NO, type Verdict, YES } from './verdict.ts';

/**
 * Envoy's `authenticated`: the peer showed a certificate that was verified, and its name matches. The name is the URI names
 * where it has any, else its DNS names, else its subject: never one kind for another (CVE-2022-21656).
 */
export function compileIdentityRule(principalName: StringMatcher | undefined): (subject: RbacSubject) => Verdict {
  if (principalName === undefined) {
    return ({ transport }) => (transport.peerCertificate === undefined ? NO : YES);
  }
  const accepts = guarded(compileStringMatcher(principalName));
  return ({ transport }) => {
    const { peerCertificate } = transport;
    if (!transport.isTls || peerCertificate === undefined) return NO;
    return agreedByAll(namesOf(peerCertificate), accepts);
  };
}

/** Letters, digits, hyphens, dots and a wildcard; anything else in a DNS name is not one. */
const DNS_NAME = /^[A-Za-z0-9*._-]+$/;

function namesOf(certificate: PeerCertificate): readonly string[] {
  if (certificate.uriNames.length > 0) return certificate.uriNames;
  if (certificate.dnsNames.length > 0) return certificate.dnsNames.filter((name) => DNS_NAME.test(name));
  return [certificate.subject];
}

/** A certificate of several names that a rule does not judge alike is nobody in particular. */
function agreedByAll(names: readonly string[], accepts: (name: string) => Verdict): Verdict {
  let verdict: Verdict | undefined;
  for (const name of names) {
    const own = accepts(Buffer.from(name, 'utf8').toString('latin1'));
    if (verdict !== undefined && own !== verdict) return MAYBE;
    verdict = own;
  }
  return verdict ?? NO;
}
