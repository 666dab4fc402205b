import { RE2JS } from 're2js';
import type { StringMatcher } from '../../resource/matcher.ts';
import type { SubjectAltNameMatcher } from '../../resource/transport-socket.ts';
import type { CertificateExtensions } from './certificate-extensions.ts';
import { isSpiffeUri } from './x509-svid.ts';

type SanType = SubjectAltNameMatcher['sanType'];
type Predicate = (text: string) => boolean;

/** Who a peer may be, compiled once: empty lets any name pass. */
export class SubjectAltNames {
  readonly isEmpty: boolean;
  /** Some matcher asks for a SPIFFE ID, so that who has none cannot be meant. */
  readonly wantsSpiffe: boolean;
  readonly #matchers: readonly { readonly sanType: SanType; readonly matches: Predicate }[];

  constructor(matchers: readonly SubjectAltNameMatcher[]) {
    this.isEmpty = matchers.length === 0;
    this.wantsSpiffe = !this.isEmpty && matchers.every(({ matcher }) => isSpiffeUri(textOf(matcher)));
    this.#matchers = matchers.map(({ sanType, matcher }) => ({ sanType, matches: compile(sanType, matcher) }));
  }

  match(certificate: CertificateExtensions): boolean {
    return this.#matchers.some(({ sanType, matches }) => hasName(certificate, sanType, matches));
  }
}

function hasName(certificate: CertificateExtensions, sanType: SanType, matches: Predicate): boolean {
  switch (sanType) {
    case 'uri':
      return certificate.uriNames.some(matches);
    case 'dns':
      return certificate.dnsNames.some(matches);
    case 'email':
      return certificate.emailNames.some(matches);
    case 'ip':
      return certificate.ipAddresses.some(matches);
    case 'any':
      return hasAnyName(certificate, matches);
  }
}

/** What a SPIFFE ID is asked for by is a URI, whoever else has it for a name (CVE-2022-21656). */
function hasAnyName(certificate: CertificateExtensions, matches: Predicate): boolean {
  const { uriNames, dnsNames, emailNames, ipAddresses } = certificate;
  const isPlain = (name: string): boolean => !isSpiffeUri(name);
  return uriNames.some(matches) || [...dnsNames, ...emailNames, ...ipAddresses].filter(isPlain).some(matches);
}

function textOf(matcher: StringMatcher): string {
  return matcher.kind === 'safeRegex' ? matcher.pattern.replace(/^\^/, '') : matcher.value;
}

/** Patterns run in linear time and match the whole name; exact DNS matchers take a certificate's wildcard, as in Envoy. */
function compile(sanType: SanType, matcher: StringMatcher): Predicate {
  if (matcher.kind === 'safeRegex') {
    const pattern = RE2JS.compile(matcher.pattern);
    return (text) => pattern.matches(text);
  }
  const ignoresCase = matcher.ignoreCase || sanType === 'dns';
  const wanted = ignoresCase ? matcher.value.toLowerCase() : matcher.value;
  const plain = COMPARE[matcher.kind];
  const predicate: Predicate = ignoresCase
    ? (text) => plain(text.toLowerCase(), wanted)
    : (text) => plain(text, wanted);
  if (matcher.kind !== 'exact' || sanType !== 'dns') return predicate;
  return (text) => predicate(text) || matchesWildcard(text.toLowerCase(), wanted);
}

const COMPARE: Readonly<Record<'exact' | 'prefix' | 'suffix' | 'contains', (text: string, wanted: string) => boolean>> =
  {
    exact: (text, wanted) => text === wanted,
    prefix: (text, wanted) => text.startsWith(wanted),
    suffix: (text, wanted) => text.endsWith(wanted),
    contains: (text, wanted) => text.includes(wanted),
  };

/** RFC 9525 §6.3: a wildcard is the whole first label and stands for one label. */
function matchesWildcard(name: string, host: string): boolean {
  if (!name.startsWith('*.')) return false;
  const dot = host.indexOf('.');
  return dot > 0 && host.slice(dot) === name.slice(1) && name.indexOf('.', 2) > 0;
}
