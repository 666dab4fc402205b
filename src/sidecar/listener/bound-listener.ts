import net from 'node:net';
import { addressText } from '../../resource/address.ts';
import type { FilterChainMatch, Listener } from '../../resource/listener.ts';
import { Deadline, type DeadlineOwner } from '../../transport-socket/transport-socket.ts';
import {
  ChainSlot,
  Http1Connection,
  HttpChain,
  type ManagerContext,
} from '../connection-manager/connection-manager.ts';
import { closeAfterQueue } from './accept-queue.ts';
import { selectChain } from './chain-match.ts';
import { ListenerCounters, TcpCounters } from './listener-counters.ts';
import type { RuntimeFilterChain, RuntimeListener } from './runtime-listener.ts';
import { type TcpChain, TcpConnection } from './tcp-connection.ts';

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
}

/** A place where connections of one filter chain look up what applies to them now. */
type Slot = {
  readonly key: string;
  match: FilterChainMatch;
} & ({ readonly kind: 'http'; readonly http: ChainSlot } | { readonly kind: 'tcp'; tcp: TcpChain });

type Connection = Http1Connection | TcpConnection;

interface MutablePlace {
  name: string;
  direction: 'inbound' | 'outbound';
  host: string;
  port: number;
}

const REBIND_MS = 1_000;
const MAX_WATERMARK_BYTES = 65_536;

/** One bound address: accepts, chooses a filter chain, counts, and takes updates without touching its connections. */
export class BoundListener implements DeadlineOwner {
  readonly #options: BoundListenerOptions;
  readonly #connections = new Map<Connection, Slot>();
  readonly #deadline: Deadline = new Deadline(this);
  readonly #counters: ListenerCounters;
  readonly #place: MutablePlace;
  #listener: Listener;
  #slots: Slot[] = [];
  #defaultSlot: Slot | undefined = undefined;
  #server: net.Server | undefined = undefined;
  #state: ListenerState = 'binding';
  /** While draining: connections made before it are still being accepted. */
  #isTakingQueue = false;
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
    const before = new Map(
      [...this.#slots, ...(this.#defaultSlot === undefined ? [] : [this.#defaultSlot])].map((slot) => [slot.key, slot]),
    );
    const slots = runtime.chains.map((chain, index) => this.#compile(chain, `${index}/${chain.chain.name}`, runtime));
    const fallback =
      runtime.defaultChain === undefined ? undefined : this.#compile(runtime.defaultChain, 'default', runtime);
    // Everything compiled: from here on nothing can fail.
    this.#listener = runtime.listener;
    this.#place.name = runtime.listener.name;
    this.#place.direction = directionOf(runtime.listener);
    this.#slots = slots.map((slot) => adopt(before.get(slot.key), slot));
    this.#defaultSlot = fallback === undefined ? undefined : adopt(before.get('default'), fallback);
    const alive = new Set(this.#defaultSlot === undefined ? this.#slots : [...this.#slots, this.#defaultSlot]);
    for (const [connection, slot] of this.#connections) if (!alive.has(slot)) connection.drain();
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

  /** Ends everything now. */
  destroy(): void {
    const { turn } = this.#options.context;
    turn.enter();
    for (const connection of [...this.#connections.keys()]) connection.destroy();
    turn.leave();
    this.#close();
  }

  onDeadline(): void {
    if (this.#state === 'failed') this.#bind();
    else if (this.#state === 'draining') this.destroy();
  }

  connectionEnded(connection: Connection): void {
    if (!this.#connections.delete(connection)) return;
    this.#counters.cxActive.add(-1);
    this.#counters.cxDestroy.increment();
    this.#closeIfDrained();
  }

  #queueTaken(): void {
    this.#isTakingQueue = false;
    this.#closeIfDrained();
  }

  #closeIfDrained(): void {
    if (this.#state === 'draining' && !this.#isTakingQueue && this.#connections.size === 0) this.#close();
  }

  #bind(): void {
    const { address, tcpBacklogSize } = this.#listener;
    this.#state = 'binding';
    const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true });
    this.#server = server;
    server.on('connection', (socket) => this.#accept(socket));
    server.on('error', (error) => this.#onBindError(server, error));
    server.on('listening', () => this.#onListening(server));
    const backlog = tcpBacklogSize > 0 ? { backlog: tcpBacklogSize } : {};
    if (address.kind === 'pipe') server.listen({ path: address.path, ...backlog });
    else server.listen({ host: address.host, port: address.port, reusePort: true, ...backlog });
  }

  #onListening(server: net.Server): void {
    if (this.#state === 'closed' || this.#state === 'draining') {
      server.close();
      return;
    }
    const bound = server.address();
    if (bound !== null && typeof bound === 'object') this.#place.port = bound.port;
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
    if (this.#connections.size >= maxConnections) {
      this.#counters.cxOverflow.increment();
      socket.destroy();
      return;
    }
    const facts = { localAddress: socket.localAddress ?? '', localPort: socket.localPort ?? 0 };
    const slot = selectChain(this.#slots, facts) ?? this.#defaultSlot;
    if (slot === undefined) {
      this.#counters.noFilterChainMatch.increment();
      socket.destroy();
      return;
    }
    this.#counters.cxTotal.increment();
    this.#counters.cxActive.add(1);
    context.turn.enter();
    try {
      this.#open(slot, socket);
    } catch (error) {
      context.turn.reportUnexpected(error);
      socket.destroy();
    }
    context.turn.leave();
  }

  #open(slot: Slot, socket: net.Socket): void {
    const { context } = this.#options;
    const connection =
      slot.kind === 'http'
        ? new Http1Connection(context, slot.http, socket, this)
        : new TcpConnection(context, slot.tcp, socket, this);
    if (connection.isClosed) {
      this.#counters.cxActive.add(-1);
      this.#counters.cxDestroy.increment();
      return;
    }
    this.#connections.set(connection, slot);
    if (this.#state === 'draining') connection.drain();
  }

  #compile(chain: RuntimeFilterChain, key: string, runtime: RuntimeListener): Slot {
    const { context } = this.#options;
    const { match, transportSocket } = chain.chain;
    if (transportSocket?.kind === 'downstreamTls') {
      throw new Error(`filter chain ${key}: TLS is not served by this version; use a plaintext transport socket`);
    }
    const limit = runtime.listener.perConnectionBufferLimitBytes;
    if (chain.kind === 'http') {
      const http = new HttpChain(context, chain.manager, chain.routes, this.#place, limit);
      return { key, match, kind: 'http', http: new ChainSlot(http) };
    }
    const counters = new TcpCounters(context.metrics, chain.proxy.statPrefix);
    const tcp = { proxy: chain.proxy, counters, highWaterMarkBytes: Math.min(limit, MAX_WATERMARK_BYTES) };
    return { key, match, kind: 'tcp', tcp };
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

/** Keeps the slot that connections hold and puts the new configuration in it, where the kind is the same. */
function adopt(known: Slot | undefined, fresh: Slot): Slot {
  if (known?.kind === 'http' && fresh.kind === 'http') {
    known.match = fresh.match;
    known.http.current = fresh.http.current;
    return known;
  }
  if (known?.kind === 'tcp' && fresh.kind === 'tcp') {
    known.match = fresh.match;
    known.tcp = fresh.tcp;
    return known;
  }
  return fresh;
}

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
