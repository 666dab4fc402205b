import type { StringMatcher } from './matcher.ts';
import type { RouteMatch } from './route-configuration.ts';

/** envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication. */
export interface JwtAuthnConfig {
  readonly kind: 'jwtAuthn';
  readonly providers: ReadonlyMap<string, JwtProvider>;
  /** The first whose match fits counts; a request that none fits passes. */
  readonly rules: readonly { readonly match: RouteMatch; readonly requirement: JwtRequirement }[];
  /** What routes may refer to. */
  readonly requirements: ReadonlyMap<string, JwtRequirement>;
  readonly bypassCorsPreflight: boolean;
  readonly stripFailureResponse: boolean;
}

/** Whose tokens are taken, where they are found, and what becomes of them. */
export interface JwtProvider {
  readonly name: string;
  /** '': any. */
  readonly issuer: string;
  /** Empty: any. */
  readonly audiences: readonly string[];
  readonly subjects: StringMatcher | undefined;
  readonly requireExpiration: boolean;
  /** Between issue and expiry; undefined: any. */
  readonly maxLifetimeMs: number | undefined;
  readonly clockSkewMs: number;
  readonly keys: JwtKeySource;
  readonly fromHeaders: readonly { readonly name: string; readonly valuePrefix: string }[];
  readonly fromParams: readonly string[];
  readonly fromCookies: readonly string[];
  /** The token stays in the request. */
  readonly forward: boolean;
  /** Header that gets the payload as base64url, '' for none. */
  readonly forwardPayloadHeader: string;
  readonly padsForwardedPayload: boolean;
  /** Key under which later filters see the payload, '' for none. */
  readonly payloadInMetadata: string;
  /** Claims that become lists at their spaces there. */
  readonly spaceDelimitedClaims: readonly string[];
  /** Verified tokens remembered; 0: none. */
  readonly cacheSize: number;
}

/** Keys that came with the configuration, the file that holds them, or where they are fetched when they are first needed. */
export type JwtKeySource =
  | { readonly kind: 'local'; readonly keys: readonly JsonWebKey[] }
  | { readonly kind: 'file'; readonly path: string }
  | {
      readonly kind: 'remote';
      readonly clusterName: string;
      readonly authority: string;
      readonly path: string;
      readonly timeoutMs: number;
      /** Keys that are older are fetched anew. */
      readonly cacheDurationMs: number;
    };

/** The public members of a key (RFC 7517, RFC 7518 §6), as they stood in its set. */
export type JsonWebKey = Readonly<Record<string, string>> & { readonly kty: string };

export type JwtRequirement =
  | { readonly kind: 'none' }
  /** `audiences` undefined: the provider's own. */
  | { readonly kind: 'provider'; readonly provider: string; readonly audiences: readonly string[] | undefined }
  | { readonly kind: 'any'; readonly requirements: readonly JwtRequirement[] }
  | { readonly kind: 'all'; readonly requirements: readonly JwtRequirement[] }
  | { readonly kind: 'allowMissing' }
  | { readonly kind: 'allowMissingOrFailed' };
