import type { Node } from '../../resource/bootstrap.ts';
import type { ResourceError } from '../discovery-responses.ts';
import type { EncodedResource } from '../encoded-resource.ts';

/**
 * The server asks, a source answers, and neither knows the other's world: the source sees no stream, nonce or acknowledgement, the
 * server sees no Consul. One subscription is one connected proxy (or one gRPC client); what it should hold arrives as whole, immutable
 * snapshots, the latest of which always wins.
 */
export interface SnapshotSource {
  /**
   * A proxy has connected. Called once per stream, so the same node may be open several times. The listener may be called before this
   * returns, and any number of times until `close`. Never throws: trouble is told through the listener.
   */
  open(node: NodeIdentity, listener: SnapshotListener): SnapshotSubscription;
}

/** What the server wants to hear about one node. */
export interface SnapshotListener {
  /**
   * The node's whole state of now. Until the first one the stream waits silently. An object equal (===) to the previous snapshot's for a
   * type costs nothing for that type, so sources share what did not change ({@link buildSnapshot} does).
   */
  onSnapshot(snapshot: Snapshot): void;
  /** This node gets nothing (any more): its stream ends with this reason, and the node tries again later with backoff. */
  onRefused(refusal: NodeRefusal): void;
}

/** One open node. */
export interface SnapshotSubscription {
  /** These names of a type are asked for now (`*` is none of them): for sources that make what is asked for. */
  onSubscribed?(typeUrl: string, names: ReadonlySet<string>): void;
  /** The stream ended: release what only this node needed. The listener is not called again. */
  close(): void;
}

/** Everything one node should hold at one moment: consistent before it is visible, and never changed afterwards. */
export interface Snapshot {
  /** For people and logs: moves whenever anything in the snapshot does. */
  readonly version: string;
  /** By type URL. A type that is absent has no resources. */
  readonly types: ReadonlyMap<string, TypeSnapshot>;
}

/** All resources of one type. */
export interface TypeSnapshot {
  /** SotW's version_info: a digest of the names and versions below, so that equal content has an equal version everywhere. */
  readonly version: string;
  readonly resources: ReadonlyMap<string, EncodedResource>;
  /** How it differs from an earlier state, for whoever holds exactly that one: such a stream looks at nothing else. */
  readonly change?: TypeChange;
  /** Whether it is not known yet if this name is there: until it is, nothing is said of it. */
  readonly awaits?: (name: string) => boolean;
  /** Why a name is not among the resources, for the client that asked for it; undefined where there is nothing to say but that. */
  readonly explain?: (name: string) => Omit<ResourceError, 'name'> | undefined;
}

/** These names have another resource than in the state of that version, or a first one; none has gone, and all others are as they were. */
export interface TypeChange {
  readonly basedOn: string;
  readonly names: readonly string[];
}

/** Who connected, as it said itself on the first request of its stream. Authenticated only as far as its certificate goes. */
export interface NodeIdentity extends Node {
  /** `envoy`, `gRPC Node Pure JS`, `weft` …; empty when it did not say. */
  readonly userAgentName: string;
  readonly userAgentVersion: string;
  readonly clientFeatures: readonly string[];
  /** The peer's socket address as gRPC names it. */
  readonly peer: string;
  /** URI names of the certificate that the client proved to have; empty without one. */
  readonly certifiedUris: readonly string[];
}

/** Why a node gets nothing. `message` is read by whoever runs the proxy: what is wrong with which node id, and what to do. */
export interface NodeRefusal {
  readonly kind: 'not-found' | 'permission-denied' | 'unavailable';
  readonly message: string;
}
