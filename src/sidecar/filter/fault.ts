import type { FaultFilterConfig } from '../../resource/filter-config.ts';
import type { Fraction } from '../../resource/matcher.ts';
import type { Counter, Gauge } from '../../telemetry/metrics/metrics.ts';
import { Deadline, type DeadlineOwner } from '../../transport-socket/transport-socket.ts';
import { compileHeaderMatcher } from '../route/route.ts';
import { requestValue } from './effective-fields.ts';
import type { FilterContext } from './filter-context.ts';
import type { CompiledFilter, FilterStream, FilterVerdict } from './filter-stream.ts';
import { type LocalReply, plainReply } from './local-replies.ts';

const ABORT_BODY = 'fault filter abort';
const NODE_HEADER = 'x-envoy-downstream-service-node';
/** A header may not hold a request longer than this. */
const MAX_HEADER_DELAY_MS = 3_600_000;

class FaultCounters {
  readonly delaysInjected: Counter;
  readonly abortsInjected: Counter;
  readonly overflow: Counter;
  readonly active: Gauge;

  constructor({ metrics, statPrefix }: FilterContext) {
    const scope = { kind: 'http', name: statPrefix } as const;
    this.delaysInjected = metrics.counter(scope, 'fault.delays_injected');
    this.abortsInjected = metrics.counter(scope, 'fault.aborts_injected');
    this.overflow = metrics.counter(scope, 'fault.faults_overflow');
    this.active = metrics.gauge(scope, 'fault.active_faults');
  }
}

/** A request that waits, and what becomes of it then. */
class Delay implements DeadlineOwner {
  readonly deadline: Deadline = new Deadline(this);
  readonly #onOver: () => void;

  constructor(onOver: () => void) {
    this.#onOver = onOver;
  }

  onDeadline(): void {
    this.#onOver();
  }
}

/** envoy.filters.http.fault: makes some requests wait, and some fail, on purpose. */
export function createFault(name: string, config: FaultFilterConfig, context: FilterContext): CompiledFilter {
  const faults = new Faults(config, context, new FaultCounters(context));
  return {
    name,
    onRequestHead: (stream) => faults.onRequest(stream),
    onStreamEnd: (stream) => faults.onEnd(stream),
    forRoute([own]) {
      return own?.kind === 'fault' ? createFault(name, own, context) : this;
    },
  };
}

class Faults {
  readonly #config: FaultFilterConfig;
  readonly #context: FilterContext;
  readonly #counters: FaultCounters;
  readonly #matchers: readonly ((stream: FilterStream) => boolean)[];
  /** Requests with a fault under way. */
  readonly #active = new Map<FilterStream, Delay | undefined>();

  constructor(config: FaultFilterConfig, context: FilterContext, counters: FaultCounters) {
    this.#config = config;
    this.#context = context;
    this.#counters = counters;
    this.#matchers = config.headers.map((matcher) => {
      const matches = compileHeaderMatcher(matcher);
      return (stream) => matches(stream.head);
    });
  }

  onRequest(stream: FilterStream): FilterVerdict {
    if (!this.#concerns(stream)) return 'continue';
    const delayMs = this.#delayMs(stream);
    const abort = this.#abort(stream);
    if (delayMs === 0 && abort === undefined) return 'continue';
    const { maxActiveFaults } = this.#config;
    if (maxActiveFaults !== undefined && this.#active.size >= maxActiveFaults) {
      this.#counters.overflow.increment();
      return 'continue';
    }
    this.#counters.active.add(1);
    if (delayMs === 0) {
      this.#active.set(stream, undefined);
      if (abort !== undefined) this.#fail(stream, abort);
      return 'stop';
    }
    this.#wait(stream, delayMs, abort);
    return 'stop';
  }

  onEnd(stream: FilterStream): void {
    if (!this.#active.has(stream)) return;
    const delay = this.#active.get(stream);
    if (delay !== undefined) this.#context.turn.deadlines.remove(delay.deadline);
    this.#active.delete(stream);
    this.#counters.active.add(-1);
  }

  #wait(stream: FilterStream, delayMs: number, abort: LocalReply | undefined): void {
    const { turn } = this.#context;
    const delay = new Delay(() => {
      if (abort === undefined) stream.continueRequest();
      else this.#fail(stream, abort);
    });
    this.#counters.delaysInjected.increment();
    stream.record.responseFlags = 'DI';
    this.#active.set(stream, delay);
    turn.deadlines.schedule(delay.deadline, turn.nowMs + delayMs);
  }

  #fail(stream: FilterStream, abort: LocalReply): void {
    this.#counters.abortsInjected.increment();
    const flags = stream.record.responseFlags === 'DI' ? 'DI,FI' : 'FI';
    stream.sendLocalReply({ ...abort, flags }, '');
  }

  #concerns(stream: FilterStream): boolean {
    const { upstreamCluster, downstreamNodes } = this.#config;
    if (upstreamCluster !== '' && clusterOf(stream) !== upstreamCluster) return false;
    if (downstreamNodes.length > 0 && !downstreamNodes.includes(requestValue(stream, NODE_HEADER) ?? '')) return false;
    return this.#matchers.every((matches) => matches(stream));
  }

  #delayMs(stream: FilterStream): number {
    const { delay } = this.#config;
    if (delay === undefined) return 0;
    if (delay.fixedMs !== undefined) return this.#happens(delay.fraction) ? delay.fixedMs : 0;
    const asked = numberIn(stream, 'x-envoy-fault-delay-request');
    if (asked === undefined) return 0;
    const fraction = askedFraction(stream, 'x-envoy-fault-delay-request-percentage', delay.fraction);
    return this.#happens(fraction) ? Math.min(asked, MAX_HEADER_DELAY_MS) : 0;
  }

  #abort(stream: FilterStream): LocalReply | undefined {
    const { abort } = this.#config;
    if (abort === undefined) return undefined;
    if (abort.by === 'header') {
      const fraction = askedFraction(stream, 'x-envoy-fault-abort-request-percentage', abort.fraction);
      return this.#happens(fraction) ? askedAbort(stream) : undefined;
    }
    if (!this.#happens(abort.fraction)) return undefined;
    return abort.by === 'httpStatus' ? httpAbort(abort.status) : grpcAbort(abort.status);
  }

  #happens(fraction: Fraction): boolean {
    return fraction >= 1 || (fraction > 0 && this.#context.random.next() < fraction);
  }
}

function httpAbort(status: number): LocalReply {
  return plainReply(status, 'fault_filter_abort', ABORT_BODY);
}

function grpcAbort(status: number): LocalReply {
  return plainReply(status === 0 ? 200 : 503, 'fault_filter_abort', ABORT_BODY, '', status);
}

function askedAbort(stream: FilterStream): LocalReply | undefined {
  const status = numberIn(stream, 'x-envoy-fault-abort-request');
  if (status !== undefined && status >= 200 && status < 600) return httpAbort(status);
  const grpcStatus = numberIn(stream, 'x-envoy-fault-abort-grpc-request');
  return grpcStatus === undefined ? undefined : grpcAbort(grpcStatus);
}

/** A caller may ask for fewer faults than configuration has, never for more. */
function askedFraction(stream: FilterStream, header: string, configured: Fraction): Fraction {
  const percent = numberIn(stream, header);
  return percent === undefined ? configured : Math.min(configured, percent / 100);
}

function numberIn(stream: FilterStream, header: string): number | undefined {
  const value = requestValue(stream, header);
  return value !== undefined && /^\d{1,9}$/.test(value) ? Number(value) : undefined;
}

function clusterOf({ route }: FilterStream): string {
  const action = route?.action;
  return action?.kind === 'route' && action.cluster.kind === 'cluster' ? action.cluster.name : '';
}
