import type { Clock } from '../../base/clock.ts';
import {
  CLUSTER_LOAD_ASSIGNMENT_TYPE,
  CLUSTER_TYPE,
  LISTENER_TYPE,
  ROUTE_CONFIGURATION_TYPE,
} from '../../resource/type-url.ts';
import type { ResourceError } from '../discovery-responses.ts';
import { type EncodedResource, heartbeatOf } from '../encoded-resource.ts';
import type { Admission, Ticket } from './admission.ts';
import type { ClientView } from './client-status.ts';
import type { Answer } from './delivery.ts';
import { Heartbeats } from './heartbeats.ts';
import { isOrdered, isWithdrawal, PUSH_ORDER, type StepScope, warmsClusters } from './push-order.ts';
import { resourceStates } from './resource-states.ts';
import type { XdsServerCounters, XdsStreamState } from './server-state.ts';
import { EMPTY_TYPE_SNAPSHOT } from './snapshot.ts';
import type {
  NodeIdentity,
  NodeRefusal,
  Snapshot,
  SnapshotSource,
  SnapshotSubscription,
  TypeSnapshot,
} from './snapshot-source.ts';

import type { StreamLimits } from './stream-limits.ts';
import { typeState } from './stream-view.ts';
import type { Push, TypeSubscription } from './type-subscription.ts';
import type { StreamRequest, Variant } from './variant.ts';

/** What clients say of themselves (Envoy's "client features"). */
const TTL_FEATURE = 'xds.config.supports-resource-ttl';
const WRAPPER_FEATURE = 'xds.config.resource-in-sotw';

/** Where a session's responses go: one gRPC stream, or a test. */
export interface StreamOutput {
  /** False when the peer reads too slowly: nothing more is sent before `onWritable`. */
  readonly send: (response: Buffer) => boolean;
  /** Ends the stream with a status the client can read. */
  readonly end: (refusal: StreamRefusal) => void;
}

/** Why we end a stream. */
export interface StreamRefusal {
  readonly kind: 'invalid-argument' | 'resource-exhausted' | NodeRefusal['kind'];
  readonly message: string;
}

/** What all sessions of a server share. */
export interface SessionContext {
  readonly source: SnapshotSource;
  readonly clock: Clock;
  readonly limits: StreamLimits;
  readonly counters: XdsServerCounters;
  /** Who is given a first state now, and who waits. */
  readonly admission: Admission;
  /** The encoded ControlPlane of every response. */
  readonly controlPlane: Buffer;
  /** A client refused a response: for the log, once per NACK. */
  onRejected(stream: XdsStreamState, typeUrl: string, version: string, detail: string): void;
}

/** Identity of one stream. */
export interface StreamIdentity {
  readonly streamId: number;
  readonly peer: string;
  /** URI names of the client's certificate. */
  readonly certifiedUris: readonly string[];
  /** The only type a per-type service serves; undefined on an aggregated stream. */
  readonly onlyType: string | undefined;
}

/**
 * One xDS stream: all its types, in push order, one ordered response in flight at a time. What changes while a response is unanswered
 * or the peer reads slowly is merged: the session keeps only the latest snapshot. Knows no gRPC.
 */
export class StreamSession<Request extends StreamRequest> {
  readonly #variant: Variant<Request>;
  readonly #context: SessionContext;
  readonly #identity: StreamIdentity;
  readonly #output: StreamOutput;
  readonly #connectedAtWallMs: number;
  readonly #subscriptions = new Map<string, TypeSubscription<Request>>();
  readonly #heartbeats = new Heartbeats();
  /** What the last response of an ordered type brought anew: the part that a NACK is about. */
  readonly #lastChanged = new Map<string, readonly EncodedResource[]>();
  #node: NodeIdentity | undefined;
  #subscription: SnapshotSubscription | undefined;
  #snapshot: Snapshot | undefined;
  /** Held until the first state has been taken whole. */
  #ticket: Ticket | undefined;
  /** When it was this stream's turn; undefined while it waits for it. */
  #admittedMs: number | undefined;
  #isWritable = true;
  #isClosed = false;
  #nonces = 0;

  constructor(variant: Variant<Request>, identity: StreamIdentity, context: SessionContext, output: StreamOutput) {
    this.#variant = variant;
    this.#identity = identity;
    this.#context = context;
    this.#output = output;
    this.#connectedAtWallMs = context.clock.wallMs();
  }

  onRequest(request: Request): void {
    if (this.#isClosed) return;
    this.#context.counters.requests += 1;
    if (this.#node === undefined ? !this.#identify(request) : !this.#isSameNode(this.#node, request)) return;
    const subscription = this.#subscriptionFor(request);
    if (subscription === undefined) return;
    const before = subscription.wanted;
    const { characters } = before;
    const names = before.names.size;
    this.#count(subscription, subscription.onRequest(request));
    const after = subscription.wanted;
    const hasGrown = after.names.size > names || after.characters > characters;
    const excess = hasGrown ? this.#excess() : undefined;
    if (excess !== undefined) {
      this.#refuse({ kind: 'resource-exhausted', message: excess });
      return;
    }
    if (subscription.wanted.names.size > 0) {
      this.#subscription?.onSubscribed?.(subscription.typeUrl, subscription.wanted.names);
    }
    this.#pump();
    if (this.#ticket !== undefined && this.#isServed()) this.#releaseTicket();
  }

  /** The peer has read what was buffered. */
  onWritable(): void {
    this.#isWritable = true;
    this.#pump();
  }

  /** Called now and then, so that a client that never answers does not hold up its own other types for ever. */
  onTick(nowMs: number): void {
    let hasExpired = false;
    for (const { delivery } of this.#subscriptions.values()) {
      if (!delivery.expire(nowMs, this.#context.limits.acknowledgeTimeoutMs)) continue;
      this.#context.counters.unanswered += 1;
      hasExpired = true;
    }
    if (hasExpired) this.#pump();
    if (this.#admittedMs !== undefined && nowMs - this.#admittedMs >= this.#context.limits.firstStateTimeoutMs) {
      this.#releaseTicket();
    }
    for (const typeUrl of this.#heartbeats.takeDue(nowMs)) this.#beat(typeUrl);
  }

  /** The stream is gone, whoever ended it. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#releaseTicket();
    this.#subscription?.close();
    this.#subscription = undefined;
    this.#snapshot = undefined;
    this.#subscriptions.clear();
    this.#lastChanged.clear();
  }

  view(): XdsStreamState {
    const snapshot = this.#snapshot;
    return {
      streamId: this.#identity.streamId,
      variant: this.#variant.kind,
      node: this.#node,
      peer: this.#identity.peer,
      connectedAtWallMs: this.#connectedAtWallMs,
      snapshotVersion: snapshot?.version,
      types: [...this.#subscriptions.values()].map((subscription) => typeState(subscription, snapshot)),
    };
  }

  /** Every resource this client has asked for, and what became of it; undefined before it has said who it is. */
  clientView(isWanted: (nodeId: string) => boolean): ClientView | undefined {
    const node = this.#node;
    if (node === undefined || !isWanted(node.id)) return undefined;
    const resources = [...this.#subscriptions.values()].flatMap((subscription) => {
      const { typeUrl } = subscription;
      const ofType = this.#snapshot?.types.get(typeUrl) ?? EMPTY_TYPE_SNAPSHOT;
      return resourceStates(subscription, ofType, this.#lastChanged.get(typeUrl) ?? []);
    });
    return { node, resources };
  }

  /** The first request names the node, and only the first needs to. */
  #identify(request: Request): boolean {
    const node = request.node;
    if (node === undefined || node.id === '') {
      const message =
        'node.id: missing from the first request of the stream; give the proxy an id (--service-node, node.id)';
      this.#refuse({ kind: 'invalid-argument', message });
      return false;
    }
    if (node.id.length > this.#context.limits.maxNameLength) {
      const message = `node.id: ${node.id.length} characters, at most ${this.#context.limits.maxNameLength} are allowed`;
      this.#refuse({ kind: 'invalid-argument', message });
      return false;
    }
    const { peer, certifiedUris } = this.#identity;
    this.#node = { ...node, peer, certifiedUris };
    const identity = this.#node;
    const ticket = this.#context.admission.enter(() => this.#open(identity));
    if (this.#isClosed) ticket.release();
    else this.#ticket = ticket;
    return !this.#isClosed;
  }

  /** A stream is one node's, from its first request to its end. */
  #isSameNode(node: NodeIdentity, request: Request): boolean {
    const claimed = request.node?.id ?? '';
    if (claimed === '' || claimed === node.id) return true;
    const message = `node.id: this stream began as "${node.id}" and says now that it is another; open another stream`;
    this.#refuse({ kind: 'invalid-argument', message });
    return false;
  }

  #open(node: NodeIdentity): void {
    this.#admittedMs = this.#context.clock.nowMs();
    const opened = this.#context.source.open(node, {
      onSnapshot: (snapshot) => this.#onSnapshot(snapshot),
      onRefused: (refusal) => this.#refuse(refusal),
    });
    // The source may have refused before it returned.
    if (this.#isClosed) {
      opened.close();
      return;
    }
    this.#subscription = opened;
    for (const { typeUrl, wanted } of this.#subscriptions.values()) opened.onSubscribed?.(typeUrl, wanted.names);
  }

  #releaseTicket(): void {
    const ticket = this.#ticket;
    this.#ticket = undefined;
    ticket?.release();
  }

  /** Nothing of what was asked for is on its way or still to be sent. */
  #isServed(): boolean {
    const snapshot = this.#snapshot;
    if (snapshot === undefined) return false;
    for (const subscription of this.#subscriptions.values()) {
      const ofType = snapshot.types.get(subscription.typeUrl) ?? EMPTY_TYPE_SNAPSHOT;
      if (subscription.delivery.isAwaiting || !subscription.isSettled(ofType)) return false;
    }
    return true;
  }

  #subscriptionFor(request: Request): TypeSubscription<Request> | undefined {
    const { onlyType } = this.#identity;
    const typeUrl = request.typeUrl === '' && onlyType !== undefined ? onlyType : request.typeUrl;
    const fault = this.#typeFault(typeUrl) ?? this.#variant.fault(request, this.#context.limits);
    if (fault !== undefined) {
      this.#refuse({ kind: 'invalid-argument', message: fault });
      return undefined;
    }
    const known = this.#subscriptions.get(typeUrl);
    if (known !== undefined) return known;
    if (this.#subscriptions.size >= this.#context.limits.maxTypes) {
      const message = `type_url: more than ${this.#context.limits.maxTypes} types on one stream`;
      this.#refuse({ kind: 'resource-exhausted', message });
      return undefined;
    }
    const subscription = this.#variant.subscription(typeUrl);
    this.#subscriptions.set(typeUrl, subscription);
    if (!isOrdered(typeUrl)) this.#context.counters.unknownTypeRequests += 1;
    return subscription;
  }

  #typeFault(typeUrl: string): string | undefined {
    const { onlyType } = this.#identity;
    if (typeUrl === '') return 'type_url: missing; an aggregated stream serves many types';
    if (typeUrl.length > this.#context.limits.maxNameLength) return 'type_url: longer than any type name';
    if (onlyType !== undefined && typeUrl !== onlyType) return `type_url: this service serves only ${onlyType}`;
    return undefined;
  }

  #count(subscription: TypeSubscription<Request>, answer: Answer): void {
    const { counters } = this.#context;
    if (answer === 'stale') counters.staleNonces += 1;
    else if (answer === 'ack') counters.acknowledged += 1;
    else if (answer === 'nack') {
      counters.rejected += 1;
      const { state } = subscription.delivery;
      if (state.kind === 'rejected') {
        this.#context.onRejected(this.view(), subscription.typeUrl, state.version, state.detail);
      }
    }
  }

  /** What of all subscriptions together is more than a stream may have, as text for the client. */
  #excess(): string | undefined {
    const { maxNames, maxNameCharacters } = this.#context.limits;
    let names = 0;
    let characters = 0;
    for (const { wanted } of this.#subscriptions.values()) {
      names += wanted.names.size;
      characters += wanted.characters;
    }
    if (names > maxNames) return `${names} names subscribed, at most ${maxNames} are served on one stream`;
    if (characters <= maxNameCharacters) return undefined;
    return `names of ${characters} characters subscribed, at most ${maxNameCharacters} together are served on one stream`;
  }

  #onSnapshot(snapshot: Snapshot): void {
    if (this.#isClosed) return;
    this.#snapshot = snapshot;
    this.#pump();
  }

  /** Sends what is due. Ordered types take turns; the others do not wait for anyone. */
  #pump(): void {
    const snapshot = this.#snapshot;
    if (snapshot === undefined) return;
    this.#pumpOrdered(snapshot);
    for (const subscription of this.#subscriptions.values()) {
      if (!isOrdered(subscription.typeUrl)) this.#push(subscription, snapshot, 'everything');
    }
  }

  #pumpOrdered(snapshot: Snapshot): void {
    let isAwaiting = false;
    for (const step of PUSH_ORDER) {
      if (isAwaiting && !warmsClusters(step)) return;
      if (isWithdrawal(step) && this.#isDependentRejected(snapshot)) return;
      const subscription = this.#subscriptions.get(step.typeUrl);
      if (subscription === undefined) continue;
      if (this.#push(subscription, snapshot, step.scope) || subscription.delivery.isAwaiting) isAwaiting = true;
    }
  }

  /** While a listener or route update is refused, the proxy still runs the old one, and with it the clusters that one names. */
  #isDependentRejected(snapshot: Snapshot): boolean {
    return [LISTENER_TYPE, ROUTE_CONFIGURATION_TYPE].some((typeUrl) => {
      if (this.#subscriptions.get(typeUrl)?.delivery.state.kind !== 'rejected') return false;
      const resources = snapshot.types.get(typeUrl)?.resources;
      const refused = this.#lastChanged.get(typeUrl) ?? [];
      return refused.some((resource) => resources?.get(resource.name)?.version === resource.version);
    });
  }

  #push(subscription: TypeSubscription<Request>, snapshot: Snapshot, scope: StepScope): boolean {
    if (this.#isClosed || !this.#isWritable || subscription.delivery.isAwaiting) return false;
    const { typeUrl } = subscription;
    const typeSnapshot = snapshot.types.get(typeUrl) ?? EMPTY_TYPE_SNAPSHOT;
    const push = subscription.next(typeSnapshot, scope);
    if (push === undefined) return false;
    const nonce = this.#nextNonce();
    const { version } = typeSnapshot;
    const response = this.#variant.encode({
      typeUrl,
      version,
      nonce,
      resources: push.resources,
      removedNames: push.removedNames,
      errors: push.missingNames.length === 0 ? NO_ERRORS : resourceErrors(push.missingNames, typeSnapshot),
      controlPlane: this.#context.controlPlane,
      canUnwrap: this.#knowsTtl,
    });
    const { counters } = this.#context;
    counters.responses += 1;
    counters.responseBytes += response.length;
    counters.resourcesSent += push.resources.length;
    const nowMs = this.#context.clock.nowMs();
    const isFirst = subscription.delivery.state.kind === 'none';
    subscription.delivery.sent(nonce, version, nowMs);
    this.#heartbeats.sent(typeUrl, push.resources, nowMs);
    if (isFirst && this.#knowsTtl) this.#heartbeats.resumed(typeUrl, subscription.held(typeSnapshot), push.resources);
    this.#lastChanged.set(typeUrl, push.changed);
    if (typeUrl === CLUSTER_TYPE) this.#resendAssignments(push);
    this.#isWritable = this.#output.send(response);
    return true;
  }

  /** A proxy warms a changed cluster with its endpoints, so these are due again even if they did not change. */
  #resendAssignments(push: Push): void {
    this.#subscriptions
      .get(CLUSTER_LOAD_ASSIGNMENT_TYPE)
      ?.resend(push.changed.map((cluster) => cluster.assignmentName ?? cluster.name));
  }

  /** Says of everything that the client holds and that has a time to live that it lives on. One that owes an answer is left alone. */
  #beat(typeUrl: string): void {
    const subscription = this.#subscriptions.get(typeUrl);
    const ofType = this.#snapshot?.types.get(typeUrl);
    if (this.#isClosed || !this.#isWritable || subscription === undefined || ofType === undefined) return;
    if (!this.#knowsTtl) return;
    const { kind } = subscription.delivery.state;
    const living = subscription.held(ofType).filter(({ ttlMs }) => ttlMs !== undefined);
    if (living.length === 0 || kind === 'awaiting' || kind === 'unanswered') return;
    const nonce = this.#nextNonce();
    const response = this.#variant.encode({
      typeUrl,
      version: ofType.version,
      nonce,
      resources: living.map(heartbeatOf),
      removedNames: [],
      controlPlane: this.#context.controlPlane,
      canUnwrap: this.#knowsTtl,
    });
    this.#context.counters.heartbeats += 1;
    subscription.delivery.reissued(nonce);
    this.#isWritable = this.#output.send(response);
  }

  #nextNonce(): string {
    this.#nonces += 1;
    return String(this.#nonces);
  }

  /** To others a heartbeat would be a resource without content. */
  get #knowsTtl(): boolean {
    const isSotw = this.#variant.kind === 'sotw';
    return this.#node?.clientFeatures.includes(TTL_FEATURE) === true && (!isSotw || this.#canUnwrap);
  }

  /** In SotW a time to live is in a wrapper around the resource. */
  get #canUnwrap(): boolean {
    return this.#node?.clientFeatures.includes(WRAPPER_FEATURE) === true;
  }

  #refuse(refusal: StreamRefusal): void {
    if (this.#isClosed) return;
    this.#context.counters.streamsRefused += 1;
    this.close();
    this.#output.end(refusal);
  }
}

/** Reasons told in one response; who asks for more that is not there knows by then. */
const MAX_ERRORS = 1_000;
/** google.rpc.Code.NOT_FOUND */
const NOT_FOUND = 5;

const NO_ERRORS: readonly ResourceError[] = [];

function resourceErrors(names: readonly string[], { explain }: TypeSnapshot): readonly ResourceError[] {
  const unexplained = { code: NOT_FOUND, message: 'there is no such resource for this node' };
  return names.slice(0, MAX_ERRORS).map((name) => ({ name, ...(explain?.(name) ?? unexplained) }));
}
