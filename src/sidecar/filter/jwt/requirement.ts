import type { JwtRequirement } from '../../../resource/jwt-authn.ts';
import type { Jwt } from './jwt.ts';
import { JWT_FAILURE, type JwtFailure } from './jwt-failure.ts';
import { type FoundToken, MAX_TOKENS } from './token-locations.ts';
import type { TokenVerifier } from './token-verifier.ts';

/** A token that was verified, with whose it is and where it stood. */
export interface AcceptedToken {
  readonly jwt: Jwt;
  readonly found: FoundToken;
  readonly verifier: TokenVerifier;
}

/** What meets a requirement, or why nothing does. */
export type Verification = readonly AcceptedToken[] | JwtFailure;

/** What a request shows, by provider; the request itself may be gone while tokens are verified. */
export interface Evidence {
  readonly tokens: ReadonlyMap<string, readonly FoundToken[]>;
  readonly verifiers: ReadonlyMap<string, TokenVerifier>;
  readonly wallMs: number;
}

/** Providers whose tokens a requirement looks at. Without a provider named next to it, `allow_missing` looks at all. */
export function providersOf(requirement: JwtRequirement, all: Iterable<string>): Set<string> {
  switch (requirement.kind) {
    case 'none':
      return new Set();
    case 'provider':
      return new Set([requirement.provider]);
    case 'any':
    case 'all':
      return new Set(requirement.requirements.flatMap((inner) => [...providersOf(inner, all)]));
    case 'allowMissing':
    case 'allowMissingOrFailed':
      return new Set(all);
  }
}

export async function verify(requirement: JwtRequirement, evidence: Evidence): Promise<Verification> {
  switch (requirement.kind) {
    case 'none':
      return [];
    case 'provider':
      return verifyProvider(requirement.provider, requirement.audiences, evidence);
    case 'all':
      return verifyAll(requirement.requirements, evidence);
    case 'any':
      return verifyAny(requirement.requirements, evidence);
    case 'allowMissing':
    case 'allowMissingOrFailed':
      return verifyByIssuer(evidence, requirement.kind === 'allowMissingOrFailed');
  }
}

/** Every token that stands at the provider's places must be good: which of them somebody else reads is not ours to say. */
async function verifyProvider(
  name: string,
  audiences: readonly string[] | undefined,
  { tokens, verifiers, wallMs }: Evidence,
): Promise<Verification> {
  const shown = tokens.get(name) ?? [];
  const verifier = verifiers.get(name);
  if (verifier === undefined || shown.length === 0) return JWT_FAILURE.missing;
  if (shown.length > MAX_TOKENS) return JWT_FAILURE.badFormat;
  const accepted: AcceptedToken[] = [];
  for (const found of shown) {
    const jwt = await verifier.verify(found.text, audiences, wallMs);
    if (typeof jwt === 'string') return jwt;
    accepted.push({ jwt, found, verifier });
  }
  return accepted;
}

async function verifyAll(requirements: readonly JwtRequirement[], evidence: Evidence): Promise<Verification> {
  const accepted: AcceptedToken[] = [];
  for (const requirement of requirements) {
    const own = await verify(requirement, evidence);
    if (typeof own === 'string') return own;
    accepted.push(...own);
  }
  return accepted;
}

/** What lets a request through without a token is asked last, and of the two the stricter counts, as in Envoy. */
async function verifyAny(requirements: readonly JwtRequirement[], evidence: Evidence): Promise<Verification> {
  let failure: JwtFailure = JWT_FAILURE.missing;
  let isAlone = true;
  for (const requirement of requirements) {
    if (requirement.kind === 'allowMissing' || requirement.kind === 'allowMissingOrFailed') continue;
    isAlone = false;
    const own = await verify(requirement, evidence);
    if (typeof own !== 'string') return own;
    failure = tellingOf(failure, own);
  }
  const allowsMissing = requirements.some(({ kind }) => kind === 'allowMissing');
  const allowsFailed = !allowsMissing && requirements.some(({ kind }) => kind === 'allowMissingOrFailed');
  if (isAlone && (allowsMissing || allowsFailed)) return verifyByIssuer(evidence, allowsFailed);
  return allowsFailed || (allowsMissing && failure === JWT_FAILURE.missing) ? [] : failure;
}

/** Each token by whichever provider takes it. */
async function verifyByIssuer(evidence: Evidence, allowsFailed: boolean): Promise<Verification> {
  const takenBy = new Map<string, AcceptedToken[]>();
  const failures = new Map<string, JwtFailure>();
  for (const [name, shown] of evidence.tokens) {
    const verifier = evidence.verifiers.get(name);
    if (verifier === undefined) continue;
    for (const found of shown.slice(0, MAX_TOKENS)) {
      const jwt = await verifier.verify(found.text, undefined, evidence.wallMs);
      if (typeof jwt === 'string') {
        failures.set(found.text, tellingOf(failures.get(found.text) ?? JWT_FAILURE.missing, jwt));
      } else takenBy.set(found.text, [...(takenBy.get(found.text) ?? []), { jwt, found, verifier }]);
    }
    if (shown.length > MAX_TOKENS && !allowsFailed) return JWT_FAILURE.badFormat;
  }
  if (!allowsFailed) for (const [text, failure] of failures) if (!takenBy.has(text)) return failure;
  return [...takenBy.values()].flat();
}

/** Of two failures the one that tells more: a token was there, and it was from somebody known. */
function tellingOf(one: JwtFailure, other: JwtFailure): JwtFailure {
  const rank = (failure: JwtFailure): number =>
    failure === JWT_FAILURE.missing ? 0 : failure === JWT_FAILURE.unknownIssuer ? 1 : 2;
  return rank(other) >= rank(one) ? other : one;
}
