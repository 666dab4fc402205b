import { JWT_FAILURE, type JwtFailure } from './jwt-failure.ts';

/** Longer ones are no tokens; verifying costs by the byte. */
const MAX_TOKEN_BYTES = 16_384;
const FORM = /^([\w-]+)\.([\w-]+)\.([\w-]+)$/;

/** Signatures that are verified. `none` is not among them, and never will be (RFC 8725 §3.1). */
const ALGORITHMS: ReadonlySet<string> = new Set([
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'HS256', 'HS384', 'HS512'],
]);

/** A token taken apart (RFC 7519), nothing of it verified. */
export interface Jwt {
  readonly text: string;
  readonly algorithm: string;
  /** '' where it names none. */
  readonly keyId: string;
  /** Base64url, as it stands in the token. */
  readonly encodedPayload: string;
  readonly claims: Readonly<Record<string, unknown>>;
  readonly issuer: string;
  readonly subject: string;
  readonly audiences: readonly string[];
  /** Seconds since 1970; undefined where absent. */
  readonly expiresAt: number | undefined;
  readonly notBefore: number | undefined;
  readonly issuedAt: number | undefined;
}

export function parseJwt(text: string): Jwt | JwtFailure {
  const match = text.length > MAX_TOKEN_BYTES ? null : FORM.exec(text);
  if (match === null) return JWT_FAILURE.badFormat;
  const [, encodedHeader = '', encodedPayload = ''] = match;
  const header = jsonIn(encodedHeader);
  if (header === undefined) return JWT_FAILURE.badHeader;
  const { alg: algorithm, kid: keyId = '' } = header;
  if (typeof algorithm !== 'string') return JWT_FAILURE.badAlgorithm;
  if (!ALGORITHMS.has(algorithm)) return JWT_FAILURE.unsupportedAlgorithm;
  if (typeof keyId !== 'string') return JWT_FAILURE.badKeyId;
  const claims = jsonIn(encodedPayload);
  if (claims === undefined) return JWT_FAILURE.badPayload;
  const { iss: issuer = '', sub: subject = '', aud = [], exp, nbf, iat } = claims;
  if (typeof issuer !== 'string') return JWT_FAILURE.badIssuer;
  if (typeof subject !== 'string') return JWT_FAILURE.badSubject;
  const audiences = typeof aud === 'string' ? [aud] : aud;
  if (!isStrings(audiences)) return JWT_FAILURE.badAudience;
  if (!isTime(exp)) return JWT_FAILURE.badExpiry;
  if (!isTime(nbf)) return JWT_FAILURE.badNotBefore;
  if (!isTime(iat)) return JWT_FAILURE.badIssuedAt;
  const times = { expiresAt: exp, notBefore: nbf, issuedAt: iat };
  return { text, algorithm, keyId, encodedPayload, claims, issuer, subject, audiences, ...times };
}

function jsonIn(encoded: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(UTF8.decode(Buffer.from(encoded, 'base64url')));
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isStrings(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function isTime(value: unknown): value is number | undefined {
  return value === undefined || (typeof value === 'number' && Number.isFinite(value) && value >= 0);
}
