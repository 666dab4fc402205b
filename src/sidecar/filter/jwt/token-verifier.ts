import type { JwtProvider } from '../../../resource/jwt-authn.ts';
import { compileStringMatcher, type StringPredicate } from '../../route/route.ts';
import { type Jwt, parseJwt } from './jwt.ts';
import type { CacheCounters } from './jwt-counters.ts';
import { JWT_FAILURE, type JwtFailure } from './jwt-failure.ts';
import type { KeySource } from './key-source.ts';

/** As Envoy: longer tokens are verified each time. */
const MAX_CACHED_TOKEN_BYTES = 4_096;

/** Verifies tokens of one provider. Signatures that were right are remembered where that is asked for; claims never are. */
export class TokenVerifier {
  readonly provider: JwtProvider;
  readonly #keys: KeySource;
  readonly #acceptsSubject: StringPredicate | undefined;
  /** Tokens whose signature is right, the oldest first. */
  readonly #verified = new Set<string>();
  /** Of the keys that they were verified by. */
  #generation = 0;
  readonly #counters: CacheCounters;

  constructor(provider: JwtProvider, keys: KeySource, counters: CacheCounters) {
    this.provider = provider;
    this.#keys = keys;
    this.#acceptsSubject = provider.subjects && compileStringMatcher(provider.subjects);
    this.#counters = counters;
  }

  async verify(text: string, audiences: readonly string[] | undefined, wallMs: number): Promise<Jwt | JwtFailure> {
    const jwt = parseJwt(text);
    if (typeof jwt === 'string') return jwt;
    const refusal = this.#claimsRefusal(jwt, audiences ?? this.provider.audiences, wallMs / 1_000);
    return refusal ?? (await this.#signatureRefusal(jwt)) ?? jwt;
  }

  #claimsRefusal(jwt: Jwt, audiences: readonly string[], now: number): JwtFailure | undefined {
    const { issuer, requireExpiration, maxLifetimeMs, clockSkewMs } = this.provider;
    const { expiresAt, notBefore, issuedAt } = jwt;
    const skew = clockSkewMs / 1_000;
    if (issuer !== '' && jwt.issuer !== issuer) return JWT_FAILURE.unknownIssuer;
    // Subjects are compared as bytes, like everything that matchers see.
    if (this.#acceptsSubject?.(Buffer.from(jwt.subject, 'utf8').toString('latin1')) === false) {
      return JWT_FAILURE.subjectNotAllowed;
    }
    if (requireExpiration && expiresAt === undefined) return JWT_FAILURE.missingExpiry;
    if (maxLifetimeMs !== undefined) {
      if (expiresAt === undefined) return JWT_FAILURE.missingExpiry;
      const begin = issuedAt ?? notBefore ?? now;
      if (expiresAt - begin > maxLifetimeMs / 1_000) return JWT_FAILURE.lifetimeTooLong;
    }
    if (notBefore !== undefined && now + skew < notBefore) return JWT_FAILURE.notYetValid;
    if (expiresAt !== undefined && now > expiresAt + skew) return JWT_FAILURE.expired;
    const isMeant = audiences.length === 0 || jwt.audiences.some((audience) => isAmong(audiences, audience));
    return isMeant ? undefined : JWT_FAILURE.audienceNotAllowed;
  }

  async #verifyByKeys(jwt: Jwt): Promise<JwtFailure | undefined> {
    const keys = await this.#keys.current();
    return keys === undefined ? JWT_FAILURE.fetchFailed : keys.verify(jwt);
  }

  async #signatureRefusal(jwt: Jwt): Promise<JwtFailure | undefined> {
    const { cacheSize } = this.provider;
    if (cacheSize === 0 || jwt.text.length > MAX_CACHED_TOKEN_BYTES) return this.#verifyByKeys(jwt);
    const { generation } = this.#keys;
    if (generation !== this.#generation) this.#verified.clear();
    this.#generation = generation;
    if (this.#verified.has(jwt.text)) {
      this.#counters.hit.increment();
      return undefined;
    }
    this.#counters.miss.increment();
    const failure = await this.#verifyByKeys(jwt);
    if (failure !== undefined) return failure;
    // Verified by keys that are gone by now: good this once.
    if (generation !== this.#keys.generation) return undefined;
    for (const oldest of this.#verified) {
      if (this.#verified.size < cacheSize) break;
      this.#verified.delete(oldest);
    }
    this.#verified.add(jwt.text);
    return undefined;
  }
}

/** Envoy looks at audiences without scheme and last slash. */
function isAmong(audiences: readonly string[], audience: string): boolean {
  return audiences.some((allowed) => plain(allowed) === plain(audience));
}

function plain(audience: string): string {
  return audience.replace(/^https?:\/\//, '').replace(/\/$/, '');
}
