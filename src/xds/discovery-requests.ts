import type { Node } from '../resource/bootstrap.ts';

/** A DiscoveryRequest (SotW), decoded and narrow. */
export interface SotwRequest {
  readonly typeUrl: string;
  readonly node: RequestNode | undefined;
  /** The last accepted version of this type; on a new stream, that of the stream before. */
  readonly versionInfo: string;
  readonly resourceNames: readonly string[];
  /** Empty on the first request of a type on a stream. */
  readonly responseNonce: string;
  /** Present means NACK, whatever the version says. */
  readonly errorDetail: string | undefined;
}

/** A DeltaDiscoveryRequest, decoded and narrow. */
export interface DeltaRequest {
  readonly typeUrl: string;
  readonly node: RequestNode | undefined;
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  /** What a reconnecting client still holds, by name; only on the first request of a type on a stream. */
  readonly initialResourceVersions: ReadonlyMap<string, string>;
  readonly responseNonce: string;
  readonly errorDetail: string | undefined;
}

/** The node of a request: who asks, in its own words. */
export interface RequestNode extends Node {
  readonly userAgentName: string;
  readonly userAgentVersion: string;
  readonly clientFeatures: readonly string[];
}

/** The name that subscribes to everything of a type. */
export const WILDCARD_NAME = '*';
