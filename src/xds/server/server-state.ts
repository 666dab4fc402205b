import type { Delivery } from './delivery.ts';
import type { ClusterLoad, LoadReportCounters } from './load-reports.ts';
import type { NodeIdentity } from './snapshot-source.ts';

/** The two transport variants. */
export type XdsVariant = 'sotw' | 'delta';

/** Read-only view of the server for status commands and the console; made anew at each call. */
export interface XdsServerState {
  streams(): readonly XdsStreamState[];
  readonly counters: Readonly<XdsServerCounters>;
  /** Streams that are being given their first state, and those that wait for their turn. */
  readonly admission: { readonly admitted: number; readonly waiting: number };
  /** What clients report of the requests they send. */
  readonly loads: { view(): readonly ClusterLoad[]; readonly counters: Readonly<LoadReportCounters> };
}

/** One connected stream. */
export interface XdsStreamState {
  readonly streamId: number;
  readonly variant: XdsVariant;
  /** Undefined before the first request. */
  readonly node: NodeIdentity | undefined;
  readonly peer: string;
  readonly connectedAtWallMs: number;
  /** Undefined while the source has given nothing yet. */
  readonly snapshotVersion: string | undefined;
  readonly types: readonly XdsTypeState[];
}

/** One type on one stream: asked for, sent, answered. */
export interface XdsTypeState {
  readonly typeUrl: string;
  readonly subscribed: { readonly isWildcard: boolean; readonly names: number };
  /** Undefined before the first response. */
  readonly sentVersion: string | undefined;
  /** The last version accepted; undefined before the first ACK. */
  readonly acknowledgedVersion: string | undefined;
  /** The last response, if it was refused and nothing newer has been sent. */
  readonly rejected: { readonly version: string; readonly detail: string } | undefined;
  /** How far the client is: `synced` holds the present version, `stale` has yet to be sent it or to answer. */
  readonly sync: 'synced' | 'stale' | 'rejected';
  readonly delivery: Delivery['kind'];
}

/** Totals since start. Plain numbers that only the server writes. */
export interface XdsServerCounters {
  streamsOpened: number;
  streamsClosed: number;
  /** Ended by us: unknown node, limits, requests that make no sense. */
  streamsRefused: number;
  requests: number;
  responses: number;
  responseBytes: number;
  resourcesSent: number;
  acknowledged: number;
  rejected: number;
  staleNonces: number;
  /** Responses that found no answer in time. */
  unanswered: number;
  /** First requests for a type of which the node's snapshot holds nothing. */
  unknownTypeRequests: number;
  /** Responses that only said that resources live on. */
  heartbeats: number;
  connectionsAccepted: number;
  /** Beyond the bound on connections: closed unread. */
  connectionsDropped: number;
  handshakesFailed: number;
  /** Ended because the client broke HTTP/2 or a bound on it, or answered no ping. */
  connectionsFailed: number;
}

export function newServerCounters(): XdsServerCounters {
  return {
    streamsOpened: 0,
    streamsClosed: 0,
    streamsRefused: 0,
    requests: 0,
    responses: 0,
    responseBytes: 0,
    resourcesSent: 0,
    acknowledged: 0,
    rejected: 0,
    staleNonces: 0,
    unanswered: 0,
    unknownTypeRequests: 0,
    heartbeats: 0,
    connectionsAccepted: 0,
    connectionsDropped: 0,
    handshakesFailed: 0,
    connectionsFailed: 0,
  };
}
