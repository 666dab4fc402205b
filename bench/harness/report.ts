import type { NamedCost } from '../micro/measure.ts';
import type { MemoryUsage } from './process-usage.ts';

/** What one peer showed in one case: medians over rounds, with the range beside the figure that ratios are made of. */
export interface PeerResult {
  readonly cpuMicrosPerRequest: number;
  readonly cpuMicrosRange: readonly [number, number];
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly rssMb: number;
  readonly pssMb: number;
  /** Answers that were not 2xx or 3xx, and sockets that failed; all rounds together. Anything above 0 spoils the case. */
  readonly errors: number;
}

export interface CaseReport {
  readonly name: string;
  readonly rounds: number;
  readonly results: Readonly<Record<string, PeerResult>>;
  /** Weft's median CPU per request divided by the peer's. */
  readonly ratios: Readonly<Record<string, number>>;
}

export interface SuiteReport {
  readonly suite: string;
  readonly node: string;
  readonly cases: readonly CaseReport[];
  /** Peers that were not found, with the reason. */
  readonly missing: Readonly<Record<string, string>>;
  /** What is not a cost per request. */
  readonly memory?: readonly MemoryCase[];
  readonly footprints?: readonly Footprint[];
  /** What one call of a hot function costs. */
  readonly costs?: readonly NamedCost[];
  readonly controlPlane?: readonly ControlPlaneCase[];
  readonly attacks?: readonly AttackCase[];
}

/** One attack on a sidecar by a client that reads nothing. */
export interface AttackCase {
  readonly name: string;
  /** Until the sidecar had refused it, at the longest of all rounds; NaN: it never did. */
  readonly seconds: number;
  readonly sentBytes: number;
  /** Resident memory at its highest meanwhile, beyond what it was before. */
  readonly growthMb: number;
  /** What it was refused for, as it is counted. */
  readonly reason: string;
  /** Of somebody else's requests meanwhile. */
  readonly bystanderP99Ms: number;
}

/** The control server with so many streams. */
export interface ControlPlaneCase {
  readonly streams: number;
  /** From the first connection to a server that has just started, until the last client has everything. */
  readonly firstMs: number;
  /** The same where all had been there before. */
  readonly reconnectMs: number;
  readonly idleRssMb: number;
  readonly rssMb: number;
  /** A change of a service that all call, and of one that few do. */
  readonly everybody: PushCost;
  readonly somebody: PushCost;
}

/** What one change of an endpoint costs. */
export interface PushCost {
  readonly subscribers: number;
  readonly changes: number;
  /** From the change in Consul to the answer of the last subscriber. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuMicrosPerChange: number;
  /** Received by all clients together, HTTP/2 included. */
  readonly bytesPerChange: number;
  readonly encodedPerChange: number;
  readonly responsesPerChange: number;
  /** Responses with endpoints that nobody was to get. */
  readonly strangers: number;
}

/** Memory of one peer without clients, and with so many that hold a connection they no longer use. */
export interface Footprint {
  readonly peer: string;
  /** Whether the process had carried anything before its clients came. */
  readonly past: 'fresh' | 'worked';
  readonly clients: number;
  readonly idle: MemoryUsage;
  readonly held: MemoryUsage;
  readonly errors: number;
}

/** What clients that hold their connections cost in resident memory, and whom else they hurt. */
export interface MemoryCase {
  readonly name: string;
  readonly clients: number;
  readonly rssBeforeMb: number;
  readonly rssMb: number;
  readonly kibPerClient: number;
  readonly limitKibPerClient: number;
  /** Of somebody else's requests while those clients are there, and without them. */
  readonly bystanderP99Ms: number;
  readonly bystanderP99AloneMs: number;
  readonly errors: number;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

/** The value that this share of all values does not exceed. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}
