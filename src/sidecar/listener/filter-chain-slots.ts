import type { FilterChain, FilterChainMatch } from '../../resource/listener.ts';
import {
  ChainSlot,
  HttpChain,
  type ListenerPlace,
  type ManagerContext,
} from '../connection-manager/connection-manager.ts';
import { compileNetworkFilters, type NetworkFilterChain } from '../filter/filter.ts';
import { compileTransport, type DownstreamTransport, trustKey } from './downstream-transport.ts';
import type { ConnectionFacts } from './filter-chain-criteria.ts';
import { FilterChainSelector } from './filter-chain-selector.ts';
import { TcpCounters } from './listener-counters.ts';
import type { RuntimeFilterChain, RuntimeListener } from './runtime-listener.ts';
import type { TcpChain } from './tcp-connection.ts';

/** A place where connections of one filter chain look up what applies to them now. */
export type FilterChainSlot = {
  readonly key: string;
  match: FilterChainMatch;
  /** undefined: plaintext. */
  transport: DownstreamTransport | undefined;
  /** undefined: nothing stands before the terminal filter. */
  networkFilters: NetworkFilterChain | undefined;
} & ({ readonly kind: 'http'; readonly http: ChainSlot } | { readonly kind: 'tcp'; tcp: TcpChain });

const MAX_WATERMARK_BYTES = 65_536;

/** The filter chains of one listener made ready. Slots outlive updates, so that connections see what is new in theirs. */
export class FilterChainSlots {
  readonly #context: ManagerContext;
  readonly #place: ListenerPlace;
  #slots: readonly FilterChainSlot[] = [];
  #defaultSlot: FilterChainSlot | undefined = undefined;
  #selector = new FilterChainSelector<FilterChainSlot>([]);

  constructor(context: ManagerContext, place: ListenerPlace) {
    this.#context = context;
    this.#place = place;
  }

  /** Throws an Error that names the chain where one cannot be compiled; then nothing has changed. */
  prepare(runtime: RuntimeListener): () => void {
    const slots = runtime.chains.map((chain, index) => this.#compile(chain, `${index}/${chain.chain.name}`, runtime));
    const { defaultChain } = runtime;
    const defaultSlot = defaultChain === undefined ? undefined : this.#compile(defaultChain, 'default', runtime);
    return () => this.#swap(slots, defaultSlot);
  }

  has(slot: FilterChainSlot): boolean {
    return slot === this.#defaultSlot || this.#slots.includes(slot);
  }

  select(facts: ConnectionFacts): FilterChainSlot | undefined {
    return this.#selector.select(facts) ?? this.#defaultSlot;
  }

  #swap(slots: readonly FilterChainSlot[], defaultSlot: FilterChainSlot | undefined): void {
    const before = new Map(this.#slots.map((slot) => [slot.key, slot]));
    this.#slots = slots.map((slot) => adopt(before.get(slot.key), slot));
    this.#defaultSlot = defaultSlot === undefined ? undefined : adopt(this.#defaultSlot, defaultSlot);
    this.#selector = new FilterChainSelector(this.#slots);
  }

  #compile(chain: RuntimeFilterChain, place: string, runtime: RuntimeListener): FilterChainSlot {
    const { match } = chain.chain;
    const key = `${place} ${trustKey(chain.chain.transportSocket)}`;
    const transport = this.#compileTransport(chain.chain, place);
    const { metrics, limits } = this.#context;
    const limitKey = `${this.#place.name}/${place}`;
    const networkFilters = compileNetworkFilters(chain.chain, { metrics, limits, limitKey });
    const { perConnectionBufferLimitBytes: limit, metadata } = runtime.listener;
    if (chain.kind === 'http') {
      const http = new HttpChain(this.#context, chain.manager, chain.routes, this.#place, limit, metadata);
      return { key, match, transport, networkFilters, kind: 'http', http: new ChainSlot(http) };
    }
    const counters = new TcpCounters(this.#context.metrics, chain.proxy.statPrefix);
    const tcp = { proxy: chain.proxy, counters, highWaterMarkBytes: Math.min(limit, MAX_WATERMARK_BYTES) };
    return { key, match, transport, networkFilters, kind: 'tcp', tcp };
  }

  #compileTransport(chain: FilterChain, place: string): DownstreamTransport | undefined {
    try {
      return compileTransport(chain, this.#context.tlsMaterials);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`filter chain ${place}: transport_socket: ${reason}`);
    }
  }
}

/** Keeps the slot that connections hold and puts the new configuration in it, where the kind is the same. */
function adopt(known: FilterChainSlot | undefined, fresh: FilterChainSlot): FilterChainSlot {
  if (known?.kind === 'http' && fresh.kind === 'http') {
    known.match = fresh.match;
    known.transport = fresh.transport;
    known.networkFilters = fresh.networkFilters;
    known.http.current = fresh.http.current;
    return known;
  }
  if (known?.kind === 'tcp' && fresh.kind === 'tcp') {
    known.match = fresh.match;
    known.transport = fresh.transport;
    known.networkFilters = fresh.networkFilters;
    known.tcp = fresh.tcp;
    return known;
  }
  return fresh;
}
