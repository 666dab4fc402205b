import type { ResponseHead } from '../../http/head.ts';
import type { HttpFilter } from '../../resource/http-connection-manager.ts';
import { type FilterContext, type FilterFactory, ROUTER_FILTER_TYPE } from './filter-factories.ts';
import type { CompiledFilter, FilterStream, FilterVerdict } from './filter-stream.ts';

type RequestHeadStep = (stream: FilterStream) => FilterVerdict;
type ResponseHeadStep = (stream: FilterStream, head: ResponseHead) => void;
type EndStep = (stream: FilterStream) => void;

/** The filters before the router, compiled into one list of steps per event: a filter without a step is not there. */
export class FilterChain {
  readonly #requestHead: readonly RequestHeadStep[];
  readonly #responseHead: readonly ResponseHeadStep[];
  readonly #end: readonly EndStep[];

  constructor(filters: readonly CompiledFilter[]) {
    this.#requestHead = filters.flatMap((filter) => filter.onRequestHead?.bind(filter) ?? []);
    this.#responseHead = filters.toReversed().flatMap((filter) => filter.onResponseHead?.bind(filter) ?? []);
    this.#end = filters.flatMap((filter) => filter.onStreamEnd?.bind(filter) ?? []);
  }

  /** Runs request steps from `from` on. Answers the index to go on from after a stop, or −1 when all have agreed. */
  runRequestHead(stream: FilterStream, from: number): number {
    for (let index = from; index < this.#requestHead.length; index++) {
      if (this.#requestHead[index]?.(stream) === 'stop') return index + 1;
    }
    return -1;
  }

  runResponseHead(stream: FilterStream, head: ResponseHead): void {
    for (const step of this.#responseHead) step(stream, head);
  }

  runEnd(stream: FilterStream): void {
    for (const step of this.#end) step(stream);
  }
}

/**
 * Compiles a connection manager's filters. The last must be the router. An unknown filter that is optional is left out;
 * any other is an error that names it.
 */
export function compileFilterChain(
  filters: readonly HttpFilter[],
  factories: ReadonlyMap<string, FilterFactory>,
  context: FilterContext,
): FilterChain {
  const last = filters.at(-1);
  if (last?.config.typeUrl !== ROUTER_FILTER_TYPE) {
    throw new Error(`http_filters: the last one must be the router, but is ${last?.name ?? 'missing'}`);
  }
  const compiled: CompiledFilter[] = [];
  for (const filter of filters.slice(0, -1)) {
    if (filter.disabled) continue;
    const factory = factories.get(filter.config.typeUrl);
    if (factory !== undefined) compiled.push(factory(filter.name, filter.config, context));
    else if (!filter.isOptional) {
      throw new Error(
        `http_filters: no filter for ${filter.config.typeUrl} (${filter.name}); mark it is_optional to skip it`,
      );
    }
  }
  return new FilterChain(compiled);
}
