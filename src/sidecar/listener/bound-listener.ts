import type net from 'node:net';
import { addressText } from '../../resource/address.ts';
import type { Listener } from '../../resource/listener.ts';
import {
  ByteStream,
  Deadline,
  type DeadlineOwner,
  type OriginalDestination,
  TlsCounters,
  UNCLAIMED,
} from '../../transport-socket/transport-socket.ts';
import {
  type ChainSlot,
  Http1Connection,
  Http2Connection,
  type ManagedConnection,
  type ManagerContext,
} from '../connection-manager/connection-manager.ts';
import { closeAfterQueue } from './accept-queue.ts';
import { Admissions } from './admissions.ts';
import { ConnectionInspection, type InspectionPlan } from './connection-inspection.ts';
import { DownstreamHandshake } from './downstream-handshake.ts';
import type { DownstreamTransport } from './downstream-transport.ts';
import type { FailureLog } from './failure-log.ts';
import { type FilterChainSlot, FilterChainSlots } from './filter-chain-slots.ts';
import { compilePlan } from './inspection-plan.ts';
import { ListenerCounters } from './listener-counters.ts';
import { InspectedFacts } from './listener-filters.ts';
import { directionOf, type MutablePlace, placeOf } from './listener-place.ts';
import { bindFailureText, bindsHere, listenAt } from './listening-server.ts';
import { redirectedEndsOf } from './redirected-ends.ts';
import type { RuntimeListener } from './runtime-listener.ts';
import { StreamFacts } from './stream-facts.ts';
import { TcpConnection } from './tcp-connection.ts';

/**
 *     binding → listening → draining → closed
 *        ⇅
 *     failed (tried again every second)
 */
export type ListenerState = 'binding' | 'listening' | 'failed' | 'draining' | 'closed';

export interface BoundListenerOptions {
  readonly context: ManagerContext;
  /** Connections this listener may have open on this worker. */
  readonly maxConnections: number;
  readonly drainTimeoutMs: number;
  /** Told of each failure to bind once, until it binds. */
  readonly onBindFailure: (listenerName: string, message: string) => void;
  readonly onClosed: (listener: BoundListener) => void;
  /** The listener for connections to an address, however they came in. */
  readonly listenerAt: (destination: OriginalDestination) => BoundListener | undefined;
  /** Connections that were turned away before they were any stream's. */
  readonly failureLog: FailureLog;
}

type Connection = ManagedConnection | TcpConnection;

const REBIND_MS = 1_000;
/** Handshakes that one listener has under way on one worker; who comes on top is turned away. */
const MAX_HANDSHAKES = 1_024;

/** One bound address: accepts, chooses a filter chain, counts, and takes updates without touching its connections. */
export class BoundListener implements DeadlineOwner {
  readonly #options: BoundListenerOptions;
  readonly #connections = new Map<Connection, FilterChainSlot>();
  /** Accepted, and still before the choice of a filter chain. */
  readonly #inspections = new Set<ConnectionInspection>();
  /** Their filter chain is chosen, and they agree on TLS. */
  readonly #handshakes = new Map<DownstreamHandshake, FilterChainSlot>();
  readonly #admissions: Admissions<Connection>;
  readonly #deadline: Deadline = new Deadline(this);
  readonly #counters: ListenerCounters;
  #tlsCounters: TlsCounters | undefined = undefined;
  readonly #place: MutablePlace;
  #listener: Listener;
  readonly #chains: FilterChainSlots;
  /** undefined: the listener has no filters, and nothing is read before a chain is chosen. */
  #plan: InspectionPlan | undefined = undefined;
  #server: net.Server | undefined = undefined;
  #state: ListenerState = 'binding';
  /** While draining: connections made before it are still being accepted. */
  #isTakingQueue = false;
  /** Of a connection whose first bytes were read before it was listed. */
  #replacement: Connection | undefined = undefined;
  #isHealthFailing = false;
  #failure = '';
  #settled: (() => void)[] = [];

  /** Throws an Error that names what is wrong where a chain cannot be compiled. */
  constructor(options: BoundListenerOptions, runtime: RuntimeListener) {
    this.#options = options;
    this.#listener = runtime.listener;
    this.#place = placeOf(runtime.listener);
    this.#counters = new ListenerCounters(options.context.metrics, addressText(runtime.listener.address));
    this.#chains = new FilterChainSlots(options.context, this.#place);
    this.#admissions = new Admissions(options.context.turn, () => this.#waitOver());
    this.update(runtime);
  }

  get name(): string {
    return this.#listener.name;
  }

  get listener(): Listener {
    return this.#listener;
  }

  get state(): ListenerState {
    return this.#state;
  }

  /** Why binding failed, or ''. */
  get failure(): string {
    return this.#failure;
  }

  /** The port it is bound to; of interest where the configured one is 0. */
  get port(): number {
    return this.#place.port;
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Resolves when the first attempt to bind has succeeded or failed. */
  bind(): Promise<void> {
    const settled = new Promise<void>((resolve) => this.#settled.push(resolve));
    this.#bind();
    return settled;
  }

  /** New configuration for the same address. Connections live on; their next request sees it. */
  update(runtime: RuntimeListener): void {
    const swap = this.#chains.prepare(runtime);
    const plan = compilePlan(runtime.listener, this.#options.context.metrics);
    // Everything compiled: from here on nothing can fail.
    this.#listener = runtime.listener;
    this.#place.name = runtime.listener.name;
    this.#place.direction = directionOf(runtime.listener);
    this.#plan = plan;
    swap();
    this.#review();
  }

  /** Accepts no more; connections finish what they have, or are cut at the deadline. */
  drain(): void {
    if (this.#state === 'draining' || this.#state === 'closed') return;
    const { turn } = this.#options.context;
    this.#state = 'draining';
    this.#isTakingQueue = this.#server?.listening === true;
    if (this.#server !== undefined && this.#isTakingQueue) closeAfterQueue(this.#server, () => this.#queueTaken());
    turn.enter();
    for (const connection of this.#connections.keys()) connection.drain();
    turn.deadlines.schedule(this.#deadline, turn.nowMs + this.#options.drainTimeoutMs);
    turn.leave();
    this.#closeIfDrained();
  }

  /** It accepts on; each connection is asked to go elsewhere. */
  setHealthFailing(isFailing: boolean): void {
    this.#isHealthFailing = isFailing;
    if (!this.#drainsForHealth) return;
    const { turn } = this.#options.context;
    turn.enter();
    for (const connection of [...this.#connections.keys()]) connection.drain();
    turn.leave();
  }

  /** Ends everything now. */
  destroy(): void {
    const { turn } = this.#options.context;
    turn.enter();
    for (const inspection of [...this.#inspections]) inspection.destroy();
    for (const handshake of [...this.#handshakes.keys()]) handshake.destroy();
    for (const connection of [...this.#connections.keys()]) connection.destroy();
    this.#admissions.destroy();
    turn.leave();
    this.#close();
  }

  onDeadline(): void {
    if (this.#state === 'failed') this.#bind();
    else if (this.#state === 'draining') this.destroy();
  }

  connectionEnded(connection: Connection): void {
    if (!this.#connections.delete(connection)) return;
    this.#admissions.ended(connection);
    this.#countEnd();
    this.#closeIfDrained();
  }

  connectionReplaced(connection: Connection, successor: Connection): void {
    const slot = this.#connections.get(connection);
    this.#connections.delete(connection);
    this.#admissions.replaced(connection, successor);
    if (slot === undefined) this.#replacement = successor;
    else this.#connections.set(successor, slot);
  }

  /** A connection that another listener accepted, and that was meant for this one's address. */
  takeOver(stream: ByteStream): void {
    if (this.#openConnections < this.#options.maxConnections) this.#take(stream, new InspectedFacts(undefined, true));
    else {
      this.#counters.cxOverflow.increment();
      stream.destroy();
    }
  }

  inspected(inspection: ConnectionInspection, stream: ByteStream, facts: InspectedFacts): void {
    this.#inspections.delete(inspection);
    if (facts.addresses !== undefined) stream.assumeAddresses(facts.addresses);
    const successor = this.#successorFor(stream, facts);
    if (successor === undefined) this.#admit(stream, facts);
    else successor.takeOver(stream);
    this.#closeIfDrained();
  }

  inspectionFailed(inspection: ConnectionInspection): void {
    this.#inspections.delete(inspection);
    this.#closeIfDrained();
  }

  secured(handshake: DownstreamHandshake, stream: ByteStream): void {
    const slot = this.#handshakes.get(handshake);
    this.#handshakes.delete(handshake);
    if (slot === undefined) stream.destroy();
    else this.#open(slot, stream, stream.transport.serverName);
    this.#closeIfDrained();
  }

  handshakeFailed(handshake: DownstreamHandshake, reason: string): void {
    this.#handshakes.delete(handshake);
    this.#countEnd();
    const { failureLog, context } = this.#options;
    if (reason !== '') {
      failureLog.add(`listener ${this.name}: ${handshake.peer} is turned away: ${reason}`, context.turn.nowMs);
    }
    this.#closeIfDrained();
  }

  get #drainsForHealth(): boolean {
    return this.#isHealthFailing && this.#listener.drainType !== 'modifyOnly';
  }

  get #openConnections(): number {
    return this.#connections.size + this.#inspections.size + this.#handshakes.size + this.#admissions.waiting;
  }

  #countEnd(): void {
    this.#counters.cxActive.add(-1);
    this.#counters.cxDestroy.increment();
  }

  /** A refused connection that was kept waiting is gone. */
  #waitOver(): void {
    this.#countEnd();
    this.#closeIfDrained();
  }

  /** Connections of chains that are no more end when they can; those that new rules do not let in end now. */
  #review(): void {
    const { turn } = this.#options.context;
    turn.enter();
    for (const [connection, slot] of [...this.#connections]) {
      if (!this.#chains.has(slot)) connection.drain();
      else if (!this.#admissions.mayStay(connection, slot.networkFilters)) connection.destroy();
    }
    turn.leave();
  }

  #queueTaken(): void {
    this.#isTakingQueue = false;
    this.#closeIfDrained();
  }

  #closeIfDrained(): void {
    const isBusy = this.#isTakingQueue || this.#openConnections > 0;
    if (this.#state === 'draining' && !isBusy) this.#close();
  }

  #bind(): void {
    if (!bindsHere(this.#listener, this.#options.context.workerId)) {
      this.#nowListening();
      return;
    }
    this.#state = 'binding';
    this.#server = listenAt(this.#listener, {
      onConnection: (socket) => this.#accept(socket),
      onListening: (server) => this.#onListening(server),
      onError: (server, error) => this.#onBindError(server, error),
    });
  }

  #onListening(server: net.Server): void {
    if (this.#state === 'closed' || this.#state === 'draining') {
      server.close();
      return;
    }
    const bound = server.address();
    if (bound !== null && typeof bound === 'object') this.#place.port = bound.port;
    this.#nowListening();
  }

  #nowListening(): void {
    this.#state = 'listening';
    this.#failure = '';
    this.#settle();
  }

  #onBindError(server: net.Server, error: Error): void {
    if (this.#state !== 'binding') return;
    server.close();
    this.#state = 'failed';
    const wasKnown = this.#failure !== '';
    this.#failure = bindFailureText(this.#listener, error);
    if (!wasKnown) this.#options.onBindFailure(this.name, this.#failure);
    const { turn } = this.#options.context;
    turn.enter();
    turn.deadlines.schedule(this.#deadline, turn.nowMs + REBIND_MS);
    turn.leave();
    this.#settle();
  }

  #settle(): void {
    for (const resolve of this.#settled.splice(0)) resolve();
  }

  #accept(socket: net.Socket): void {
    const { context, maxConnections } = this.#options;
    if (this.#openConnections >= maxConnections) {
      this.#counters.cxOverflow.increment();
      socket.destroy();
      return;
    }
    context.turn.enter();
    // Asked while the socket is at hand; its handle belongs to the stream from then on.
    const facts = this.#plan === undefined ? NOTHING_INSPECTED : firstFacts(socket, this.#plan);
    const stream = ByteStream.accept(context.turn, socket, UNCLAIMED, this.#listener.perConnectionBufferLimitBytes);
    try {
      this.#take(stream, facts);
    } catch (error) {
      context.turn.reportUnexpected(error);
      stream.destroy();
    }
    context.turn.leave();
  }

  #take(stream: ByteStream, facts: InspectedFacts): void {
    if (this.#plan === undefined) {
      this.#admit(stream, facts);
      return;
    }
    const inspection = new ConnectionInspection(this.#options.context.turn, this.#plan, stream, facts, this);
    this.#inspections.add(inspection);
    inspection.start();
  }

  /** `use_original_dst`: the listener at the address that the connection was meant for, where there is another. */
  #successorFor(stream: ByteStream, facts: InspectedFacts): BoundListener | undefined {
    if (this.#listener.useOriginalDst !== true || facts.isHandedOver) return undefined;
    const destination = stream.restoredDestination;
    const successor = destination && this.#options.listenerAt(destination);
    return successor === this ? undefined : successor;
  }

  /** Chooses the chain by what is known now, and hands the connection over to it. */
  #admit(stream: ByteStream, inspected: InspectedFacts): void {
    const slot = this.#chains.select(new StreamFacts(stream, inspected));
    if (slot === undefined) {
      this.#counters.noFilterChainMatch.increment();
      stream.destroy();
      return;
    }
    this.#counters.cxTotal.increment();
    this.#counters.cxActive.add(1);
    if (slot.transport === undefined) this.#open(slot, stream, inspected.serverName);
    else this.#secure(slot, slot.transport, stream);
  }

  #secure(slot: FilterChainSlot, transport: DownstreamTransport, stream: ByteStream): void {
    const { turn, metrics } = this.#options.context;
    this.#tlsCounters ??= new TlsCounters(metrics, { kind: 'listener', name: addressText(this.#listener.address) });
    if (this.#handshakes.size >= MAX_HANDSHAKES) {
      this.#tlsCounters.handshakeOverflow.increment();
      stream.destroy();
      this.#countEnd();
      return;
    }
    const handshake = new DownstreamHandshake(turn, transport, stream, this, this.#tlsCounters);
    this.#handshakes.set(handshake, slot);
    handshake.start();
  }

  #open(slot: FilterChainSlot, stream: ByteStream, sniffedServerName: string): void {
    const { networkFilters } = slot;
    const admission = networkFilters && this.#admissions.admit(networkFilters, stream, sniffedServerName);
    if (networkFilters !== undefined && admission === undefined) {
      // Whoever is kept waiting is counted when that is over.
      if (stream.isClosed) this.#countEnd();
      return;
    }
    const { context } = this.#options;
    const opened =
      slot.kind === 'http' ? this.#openHttp(slot.http, stream) : new TcpConnection(context, slot.tcp, stream, this);
    const connection = this.#replacement ?? opened;
    this.#replacement = undefined;
    if (connection.isClosed) {
      admission?.release();
      this.#countEnd();
      return;
    }
    if (admission !== undefined) this.#admissions.opened(connection, admission);
    this.#connections.set(connection, slot);
    // An update may have come during the handshake.
    if (this.#state === 'draining' || !this.#chains.has(slot) || this.#drainsForHealth) connection.drain();
  }

  /** ALPN decides; where it has not and either may come, HTTP/1 hands over when it sees the other's first bytes. */
  #openHttp(slot: ChainSlot, stream: ByteStream): ManagedConnection {
    const { context } = this.#options;
    const { codecType } = slot.current.manager;
    const isHttp2 = codecType === 'http2' || (codecType === 'auto' && stream.transport.applicationProtocol === 'h2');
    if (isHttp2) return Http2Connection.accept(context, slot, stream, this);
    return new Http1Connection(context, slot, stream, this);
  }

  #close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#options.context.turn.deadlines.remove(this.#deadline);
    this.#server?.close();
    this.#settle();
    this.#options.onClosed(this);
  }
}

function firstFacts(socket: net.Socket, { asksForDestination }: InspectionPlan): InspectedFacts {
  return new InspectedFacts(asksForDestination ? redirectedEndsOf(socket) : undefined, false);
}

const NOTHING_INSPECTED = new InspectedFacts(undefined, false);
