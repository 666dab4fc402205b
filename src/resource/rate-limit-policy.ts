import type { HeaderMatcher, QueryParameterMatcher } from './matcher.ts';

/** envoy.config.route.v3.RateLimit, narrowed: how one descriptor is made of a request. */
export interface RateLimitPolicy {
  /** Filters of the same stage obey it. */
  readonly stage: number;
  /** Each adds an entry; where one cannot, there is no descriptor. */
  readonly actions: readonly RateLimitAction[];
  /** Where metadata may say another limit than the service's own. */
  readonly limitOverride: MetadataKey | undefined;
  /** What the request counts for; undefined leaves it to the service. */
  readonly hitsAddend: number | undefined;
  /** Told when the request is over, and nobody waits for the answer. */
  readonly onStreamDone: boolean;
}

/** envoy.type.metadata.v3.MetadataKey: a path of keys below a filter's name. */
export interface MetadataKey {
  readonly filter: string;
  readonly path: readonly string[];
}

export type RateLimitAction =
  | { readonly kind: 'sourceCluster' }
  | { readonly kind: 'destinationCluster' }
  | { readonly kind: 'remoteAddress' }
  | { readonly kind: 'maskedRemoteAddress'; readonly v4PrefixLength: number; readonly v6PrefixLength: number }
  | { readonly kind: 'genericKey'; readonly descriptorKey: string; readonly descriptorValue: string }
  | NamedValueAction
  | {
      readonly kind: 'headerValueMatch';
      readonly descriptorKey: string;
      readonly descriptorValue: string;
      readonly expectMatch: boolean;
      readonly headers: readonly HeaderMatcher[];
    }
  | {
      readonly kind: 'queryParameterValueMatch';
      readonly descriptorKey: string;
      readonly descriptorValue: string;
      readonly expectMatch: boolean;
      readonly queryParameters: readonly QueryParameterMatcher[];
    }
  | {
      readonly kind: 'metadata';
      readonly descriptorKey: string;
      readonly source: 'dynamic' | 'route';
      readonly key: MetadataKey;
      /** '': none. */
      readonly defaultValue: string;
      readonly skipIfAbsent: boolean;
    };

/** The value of what the request has under a name. */
export interface NamedValueAction {
  readonly kind: 'requestHeader' | 'queryParameter';
  readonly name: string;
  readonly descriptorKey: string;
  /** Where it is absent, only this entry is left out. */
  readonly skipIfAbsent: boolean;
}
