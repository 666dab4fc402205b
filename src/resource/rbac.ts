import type { CidrRange } from './address.ts';
import type { HeaderMatcher, StringMatcher } from './matcher.ts';
import type { MetadataMatcher } from './metadata-matcher.ts';

/** envoy.config.rbac.v3.RBAC: who may do what. With `allow` what no policy names is denied; with `deny` the reverse. */
export interface Rbac {
  readonly action: 'allow' | 'deny' | 'log';
  /** By name, in name order; the control server puts the intention's name there. */
  readonly policies: ReadonlyMap<string, RbacPolicy>;
}

/** Matches where one permission and one principal match. */
export interface RbacPolicy {
  readonly permissions: readonly Permission[];
  readonly principals: readonly Principal[];
}

/** envoy.config.rbac.v3.Permission: what is done. */
export type Permission =
  | { readonly kind: 'any' }
  | { readonly kind: 'and'; readonly rules: readonly Permission[] }
  | { readonly kind: 'or'; readonly rules: readonly Permission[] }
  | { readonly kind: 'not'; readonly rule: Permission }
  | { readonly kind: 'header'; readonly matcher: HeaderMatcher }
  | { readonly kind: 'urlPath'; readonly matcher: StringMatcher }
  | { readonly kind: 'metadata'; readonly matcher: MetadataMatcher }
  | { readonly kind: 'destinationIp'; readonly range: CidrRange }
  | { readonly kind: 'destinationPort'; readonly port: number }
  /** Half open. */
  | { readonly kind: 'destinationPortRange'; readonly start: number; readonly end: number }
  | { readonly kind: 'requestedServerName'; readonly matcher: StringMatcher };

/** envoy.config.rbac.v3.Principal: who does it. */
export type Principal =
  | { readonly kind: 'any' }
  | { readonly kind: 'and'; readonly ids: readonly Principal[] }
  | { readonly kind: 'or'; readonly ids: readonly Principal[] }
  | { readonly kind: 'not'; readonly id: Principal }
  /** Any certificate at all where there is no name to match. */
  | { readonly kind: 'authenticated'; readonly principalName: StringMatcher | undefined }
  | { readonly kind: 'directRemoteIp'; readonly range: CidrRange }
  | { readonly kind: 'remoteIp'; readonly range: CidrRange }
  | { readonly kind: 'header'; readonly matcher: HeaderMatcher }
  | { readonly kind: 'urlPath'; readonly matcher: StringMatcher }
  | { readonly kind: 'metadata'; readonly matcher: MetadataMatcher };
