import type { ControlServer } from '../../resource/bootstrap.ts';
import type { Fault } from '../../resource/fault.ts';

/**
 * Where the client is.
 *
 *   idle ──start──▶ connecting ──first response──▶ streaming
 *                    │  ▲  ▲                          │
 *         next server └──┘  └──── waiting ◀───────────┘ stream ended; or no server left to try
 *                 (stop, from anywhere) ──▶ stopped
 */
export type XdsClientState =
  | { readonly kind: 'idle' }
  | { readonly kind: 'connecting'; readonly server: ControlServer; readonly sinceMs: number }
  | { readonly kind: 'streaming'; readonly server: ControlServer; readonly sinceMs: number }
  | { readonly kind: 'waiting'; readonly untilMs: number; readonly lastError: string }
  | { readonly kind: 'stopped' };

/** Read-only view for admin and status; made anew at each call. */
export interface XdsClientView {
  readonly state: XdsClientState;
  /** Why the last stream ended; empty before the first end. */
  readonly lastError: string;
  readonly types: readonly XdsClientTypeView[];
  readonly counters: Readonly<XdsClientCounters>;
}

export interface XdsClientTypeView {
  readonly typeUrl: string;
  readonly wanted: 'nothing' | 'everything' | number;
  readonly held: number;
  readonly rejected: readonly { readonly name: string; readonly version: string; readonly faults: readonly Fault[] }[];
}

/** Totals since start. Plain numbers that only the client writes. */
export interface XdsClientCounters {
  streamsOpened: number;
  /** Streams that ended before anything came. */
  streamsFailed: number;
  /** Times a server other than the first one was chosen. */
  failovers: number;
  /** Times the client came back to a server of higher preference. */
  returns: number;
  responses: number;
  responseBytes: number;
  acknowledged: number;
  rejected: number;
  /** Messages that were no discovery response. */
  undecodable: number;
  resourcesChanged: number;
  resourcesRemoved: number;
  /** Removals that were not obeyed. */
  deletionsIgnored: number;
  /** Resources that no server renewed within their time to live. */
  resourcesLapsed: number;
  /** Names asked for that do not exist. */
  absent: number;
}

export function newClientCounters(): XdsClientCounters {
  return {
    streamsOpened: 0,
    streamsFailed: 0,
    failovers: 0,
    returns: 0,
    responses: 0,
    responseBytes: 0,
    acknowledged: 0,
    rejected: 0,
    undecodable: 0,
    resourcesChanged: 0,
    resourcesRemoved: 0,
    deletionsIgnored: 0,
    resourcesLapsed: 0,
    absent: 0,
  };
}
