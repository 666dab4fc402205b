import type { ByteStream, EventTurn } from '../../transport-socket/transport-socket.ts';
import { AlpnProbe, type ProbeOwner } from './alpn-probe.ts';
import { HostPool } from './host-pool.ts';
import { Http2HostPool } from './http2-host-pool.ts';
import { PendingLine } from './pending-line.ts';
import type { PoolCounters } from './pool-counters.ts';
import type { ClusterLimits, PooledHost, PoolOptions } from './pool-limits.ts';
import { HTTP1_ALPN, HTTP2_ALPN } from './pool-tls.ts';
import type { ConnectionWaiter, UpstreamPool } from './upstream-exchange.ts';

/**
 *     unknown ──probe──→ one protocol ──its last connection is gone──→ unknown
 *
 * Connections to a host that says by ALPN what it speaks (`auto_config`). The first one finds out, and is the first of the pool
 * that goes on; nothing is remembered beyond the connections that show it, so that a host may change its mind.
 */
export class AutoHostPool implements UpstreamPool, ProbeOwner {
  readonly #turn: EventTurn;
  readonly #host: PooledHost;
  readonly #counters: PoolCounters;
  readonly #limits: ClusterLimits;
  readonly #line: PendingLine;
  readonly #http1: HostPool;
  readonly #http2: Http2HostPool;
  #options: PoolOptions;
  #probe: { readonly probe: AlpnProbe; readonly holdsPlace: boolean } | undefined = undefined;
  #isDraining = false;

  constructor(turn: EventTurn, host: PooledHost, options: PoolOptions, counters: PoolCounters, limits: ClusterLimits) {
    this.#turn = turn;
    this.#host = host;
    this.#counters = counters;
    this.#limits = limits;
    this.#options = options;
    this.#line = new PendingLine(turn, counters, limits);
    this.#http1 = new HostPool(turn, host, speaking(options, HTTP1_ALPN), counters, limits);
    this.#http2 = new Http2HostPool(turn, host, speaking(options, HTTP2_ALPN), counters, limits);
  }

  get options(): PoolOptions {
    return this.#options;
  }

  set options(options: PoolOptions) {
    if (options === this.#options) return;
    this.#options = options;
    this.#http1.options = speaking(options, HTTP1_ALPN);
    this.#http2.options = speaking(options, HTTP2_ALPN);
  }

  get connectionCount(): number {
    return this.#http1.connectionCount + this.#http2.connectionCount + (this.#probe === undefined ? 0 : 1);
  }

  acquire(waiter: ConnectionWaiter, fresh: boolean): void {
    const known = this.#known();
    if (known !== undefined) known.acquire(waiter, fresh);
    else if (this.#isDraining) waiter.onPoolFailure('hostRemoved', 'host_removed');
    else if (this.#line.add(waiter)) this.#startProbe();
  }

  cancel(waiter: ConnectionWaiter): void {
    this.#line.remove(waiter);
    this.#http1.cancel(waiter);
    this.#http2.cancel(waiter);
  }

  drain(): void {
    this.#isDraining = true;
    this.#stopProbe();
    this.#line.fail('hostRemoved', 'host_removed', 0);
    this.#http1.drain();
    this.#http2.drain();
  }

  destroy(): void {
    this.#isDraining = true;
    this.#stopProbe();
    this.#line.fail('hostRemoved', 'shutdown', 0);
    this.#http1.destroy();
    this.#http2.destroy();
  }

  probeConnected(stream: ByteStream): void {
    const holdsPlace = this.#probe?.holdsPlace ?? false;
    this.#probe = undefined;
    const pool = stream.transport.applicationProtocol === 'h2' ? this.#http2 : this.#http1;
    pool.adopt(stream, holdsPlace);
    // Whoever is served may end at once, or ask again.
    for (let waiting = this.#line.length; waiting > 0; waiting--) {
      const waiter = this.#line.next();
      if (waiter !== undefined) pool.acquire(waiter, false);
    }
  }

  probeFailed(failure: 'connectFailure' | 'connectTimeout', detail: string): void {
    this.#counters.cxTotal.increment();
    this.#counters.cxConnectFail.increment();
    this.#counters.cxDestroy.increment();
    if (failure === 'connectTimeout') this.#counters.cxConnectTimeout.increment();
    this.#forgetProbe();
    this.#host.connectFailed();
    this.#line.fail(failure, detail, 0);
  }

  /** The pool whose connections show what the host speaks. */
  #known(): UpstreamPool | undefined {
    if (this.#http2.connectionCount > 0) return this.#http2;
    return this.#http1.connectionCount > 0 ? this.#http1 : undefined;
  }

  /** Envoy's rule: the breaker never keeps a host from having its first connection. */
  #startProbe(): void {
    if (this.#probe !== undefined) return;
    const holdsPlace = this.#limits.tryAcquire('connections');
    if (!holdsPlace) this.#counters.cxOverflow.increment();
    this.#probe = { holdsPlace, probe: new AlpnProbe(this.#turn, this, this.#options, this.#host) };
  }

  #stopProbe(): void {
    this.#probe?.probe.destroy();
    this.#forgetProbe();
  }

  #forgetProbe(): void {
    if (this.#probe?.holdsPlace === true) this.#limits.release('connections');
    this.#probe = undefined;
  }
}

/** Later connections offer what the first one has settled, whatever was configured for finding out. */
function speaking(options: PoolOptions, alpn: Buffer | undefined): PoolOptions {
  return options.tls === undefined ? options : { ...options, tls: { ...options.tls, alpn } };
}
