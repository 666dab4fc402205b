import net from 'node:net';
import { addressText } from '../../resource/address.ts';
import type { Listener } from '../../resource/listener.ts';
import { ByteStream, Deadline, type DeadlineOwner, TlsCounters } from '../../transport-socket/transport-socket.ts';
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
import { InspectionCounters, ListenerCounters } from './listener-counters.ts';
import { compileListenerFilters, InspectedFacts, needsListenerFilters } from './listener-filters.ts';
import type { RuntimeListener } from './runtime-listener.ts';
import { StreamFacts } from './stream-facts.ts';
import { TcpConnection } from './tcp-connection.ts';
import { bindsUnixSockets, listenOnUnixSocket } from './unix-socket.ts';

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
  /** Connections that were turned away before they were any stream's. */
  readonly failureLog: FailureLog;
}

type Connection = ManagedConnection | TcpConnection;

interface MutablePlace {
  name: string;
  direction: 'inbound' | 'outbound';
  host: string;
  port: number;
}

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
    const { address } = runtime.listener;
    this.#place = {
      name: runtime.listener.name,
      direction: directionOf(runtime.listener),
      host: address.kind === 'ip' ? address.host : address.path,
      port: address.kind === 'ip' ? address.port : 0,
    };
    this.#counters = new ListenerCounters(options.context.metrics, addressText(address));
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
    const plan = this.#compilePlan(runtime.listener);
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

  inspected(inspection: ConnectionInspection, stream: ByteStream, facts: InspectedFacts): void {
    this.#inspections.delete(inspection);
    if (facts.addresses !== undefined) stream.assumeAddresses(facts.addresses);
    this.#admit(stream, facts);
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
    const { address, tcpBacklogSize } = this.#listener;
    if (address.kind === 'pipe' && !bindsUnixSockets(this.#options.context.workerId)) {
      this.#nowListening();
      return;
    }
    this.#state = 'binding';
    const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true });
    this.#server = server;
    server.on('connection', (socket) => this.#accept(socket));
    server.on('error', (error) => this.#onBindError(server, error));
    server.on('listening', () => this.#onListening(server));
    const backlog = tcpBacklogSize > 0 ? { backlog: tcpBacklogSize } : {};
    if (address.kind === 'pipe') listenOnUnixSocket(server, address, backlog);
    else server.listen({ host: address.host, port: address.port, reusePort: true, ...backlog });
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
    const stream = ByteStream.acceptUnclaimed(context.turn, socket, this.#listener.perConnectionBufferLimitBytes);
    try {
      if (this.#plan === undefined) this.#admit(stream, NOTHING_INSPECTED);
      else this.#inspect(stream, this.#plan);
    } catch (error) {
      context.turn.reportUnexpected(error);
      stream.destroy();
    }
    context.turn.leave();
  }

  #inspect(stream: ByteStream, plan: InspectionPlan): void {
    const inspection = new ConnectionInspection(this.#options.context.turn, plan, stream, this);
    this.#inspections.add(inspection);
    inspection.start();
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

  #compilePlan(listener: Listener): InspectionPlan | undefined {
    if (!needsListenerFilters(listener)) return undefined;
    const counters = new InspectionCounters(this.#options.context.metrics, addressText(listener.address));
    const filters = compileListenerFilters(listener, counters);
    const { listenerFiltersTimeoutMs, continueOnListenerFiltersTimeout } = listener;
    return {
      filters,
      counters,
      timeoutMs: listenerFiltersTimeoutMs,
      continueOnTimeout: continueOnListenerFiltersTimeout,
    };
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

const NOTHING_INSPECTED = new InspectedFacts();

function directionOf(listener: Listener): 'inbound' | 'outbound' {
  return listener.trafficDirection === 'inbound' ? 'inbound' : 'outbound';
}

function bindFailureText(listener: Listener, error: Error): string {
  const code: unknown = Reflect.get(error, 'code');
  const where = addressText(listener.address);
  const remedy =
    code === 'EADDRINUSE'
      ? 'another program holds it; stop that program or change the address'
      : code === 'EACCES'
        ? 'this user may not bind it; use a port above 1023 or give the right to bind'
        : 'check that the address exists on this machine';
  return `listener ${listener.name}: cannot bind ${where} (${String(code)}): ${remedy}`;
}
