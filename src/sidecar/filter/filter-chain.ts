import type { ResponseHead } from '../../http/head.ts';
import { decodeRouteFilterConfig } from '../../resource/decode-extension.ts';
import type { RouteFilterConfig } from '../../resource/filter-config.ts';
import type { HttpFilter } from '../../resource/http-connection-manager.ts';
import type { TypedExtension } from '../../resource/route-configuration.ts';
import type { CompiledRoute } from '../route/route.ts';
import { type BodyStep, OPEN, requestBodySteps, responseBodySteps } from './body-flow.ts';
import type { FilterContext, FilterFactory } from './filter-context.ts';
import { ROUTER_FILTER_TYPE } from './filter-factories.ts';
import type { CompiledFilter, FilterStream, FilterVerdict } from './filter-stream.ts';

interface HeadStep<Step> {
  readonly position: number;
  readonly run: Step;
}

type RequestHeadStep = (stream: FilterStream) => FilterVerdict;
type ResponseHeadStep = (stream: FilterStream, head: ResponseHead) => FilterVerdict | undefined;

/** A filter of the chain; `isOff` ones run only on routes that configure them. */
export interface ChainEntry {
  readonly filter: CompiledFilter;
  readonly isOff: boolean;
}

/**
 * The filters before the router, compiled into one list of steps per event: a filter without a step is not there. Positions
 * count along each direction: the response runs the chain from its end.
 */
export class FilterChain {
  readonly requestBody: readonly BodyStep[];
  readonly responseBody: readonly BodyStep[];
  readonly #entries: readonly ChainEntry[];
  readonly #requestHead: readonly HeadStep<RequestHeadStep>[];
  readonly #responseHead: readonly HeadStep<ResponseHeadStep>[];
  readonly #end: readonly ((stream: FilterStream) => void)[];
  readonly #variants = new WeakMap<CompiledRoute, FilterChain>();

  constructor(entries: readonly ChainEntry[]) {
    this.#entries = entries;
    const filters = entries.filter(({ isOff }) => !isOff).map(({ filter }) => filter);
    const reversed = filters.toReversed();
    this.#requestHead = filters.flatMap((filter, position) => {
      const run = filter.onRequestHead?.bind(filter);
      return run === undefined ? [] : { position, run };
    });
    this.#responseHead = reversed.flatMap((filter, position) => {
      const run = filter.onResponseHead?.bind(filter);
      return run === undefined ? [] : { position, run };
    });
    this.requestBody = requestBodySteps(filters);
    this.responseBody = responseBodySteps(reversed);
    this.#end = filters.flatMap((filter) => filter.onStreamEnd?.bind(filter) ?? []);
  }

  /** The chain as this route wants it: itself for nearly every route. */
  forRoute(route: CompiledRoute | undefined): FilterChain {
    if (route?.filterConfigs === undefined) return this;
    let variant = this.#variants.get(route);
    if (variant === undefined) {
      variant = new FilterChain(this.#entries.map((entry) => entryForRoute(entry, route)));
      this.#variants.set(route, variant);
    }
    return variant;
  }

  /** Runs request steps at or after `from`. Answers the position of the filter that stopped, or OPEN when all have agreed. */
  runRequestHead(stream: FilterStream, from: number): number {
    for (const { position, run } of this.#requestHead) {
      if (position >= from && run(stream) === 'stop') return position;
    }
    return OPEN;
  }

  /** The same for the response; each step sees the head that the one before left. */
  runResponseHead(stream: FilterStream, head: ResponseHead, from: number): number {
    for (const { position, run } of this.#responseHead) {
      if (position < from) continue;
      const verdict = run(stream, stream.responseHead ?? head);
      if (verdict === 'stop' && !stream.isLocalReply) return position;
    }
    return OPEN;
  }

  runEnd(stream: FilterStream): void {
    for (const step of this.#end) step(stream);
  }
}

function entryForRoute(entry: ChainEntry, route: CompiledRoute): ChainEntry {
  const { filter } = entry;
  const extensions = route.filterConfigs?.get(filter.name);
  if (extensions === undefined) return entry;
  const configs = extensions.map((extension) => decoded(extension, filter.name, route.name));
  if (configs[0]?.kind === 'disabled') return { filter, isOff: true };
  const own = configs.filter(({ kind }) => kind !== 'disabled');
  return { filter: filter.forRoute?.(own, route.name) ?? filter, isOff: false };
}

function decoded(extension: TypedExtension, filterName: string, routeName: string): RouteFilterConfig {
  const config = decodeRouteFilterConfig(extension);
  if (config.ok) return config.value;
  const why = config.faults.map(({ field, message }) => `${field} ${message}`).join('; ');
  throw new Error(`route ${routeName}: typed_per_filter_config[${filterName}]: ${why}`);
}

/**
 * Compiles a connection manager's filters. The last must be the router. An unknown filter that is optional is left out;
 * any other is an error that names it. `nearest`: a filter that stands between those configured and the router.
 */
export function compileFilterChain(
  filters: readonly HttpFilter[],
  factories: ReadonlyMap<string, FilterFactory>,
  context: FilterContext,
  nearest?: CompiledFilter,
): FilterChain {
  const last = filters.at(-1);
  if (last?.config.typeUrl !== ROUTER_FILTER_TYPE) {
    throw new Error(`http_filters: the last one must be the router, but is ${last?.name ?? 'missing'}`);
  }
  const entries: ChainEntry[] = [];
  for (const filter of filters.slice(0, -1)) {
    const factory = factories.get(filter.config.typeUrl);
    if (factory !== undefined) {
      entries.push({ filter: factory(filter.name, filter.config, context), isOff: filter.disabled });
    } else if (!filter.isOptional) {
      throw new Error(
        `http_filters: no filter for ${filter.config.typeUrl} (${filter.name}); mark it is_optional to skip it`,
      );
    }
  }
  if (nearest !== undefined) entries.push({ filter: nearest, isOff: false });
  return new FilterChain(entries);
}
