import { GRPC_STATUS, grpcStatusOfHttp } from '../../../base/grpc-status.ts';
import type { ResponseHead } from '../../../http/head.ts';
import type { GlobalRateLimitConfig } from '../../../resource/global-rate-limit.ts';
import type { Fraction } from '../../../resource/matcher.ts';
import {
  decodeRateLimitResponse,
  encodeRateLimitRequest,
  prepareRateLimitMessages,
  type RateLimitAnswer,
  type RateLimitDescriptor,
  SHOULD_RATE_LIMIT_PATH,
} from '../../../resource/rate-limit-message.ts';
import type { HeaderPair } from '../../../resource/upstream-service.ts';
import { applyHeaderValueOption } from '../../route/route.ts';
import type { FilterContext } from '../filter-context.ts';
import type { CompiledFilter, FilterStream, FilterVerdict } from '../filter-stream.ts';
import { type GrpcUnaryOutcome, startGrpcUnaryCall } from '../grpc-unary-call.ts';
import { plainReply } from '../local-replies.ts';
import { StreamMetadata } from '../stream-metadata.ts';
import type { UpstreamCall } from '../upstream-calls.ts';
import { isWritable } from '../writable-header.ts';
import type { DescriptorMaker, DescriptorSubject } from './descriptors.ts';
import { limitHeaders } from './limit-headers.ts';
import { RateLimitCounterSet, type RateLimitCounters } from './rate-limit-counters.ts';
import { RoutePolicyTable } from './route-policies.ts';

/** Under this name Envoy keeps what the service says, whatever a chain calls the filter. */
const METADATA_NAME = 'envoy.filters.http.ratelimit';
const LIMITED = 'request_rate_limited';
const FAILED = 'rate_limiter_error';
const NO_HEADERS: readonly HeaderPair[] = [];

/** envoy.filters.http.ratelimit: a service of the mesh counts requests by their descriptors and says which are too many. */
export function createRateLimit(name: string, config: GlobalRateLimitConfig, context: FilterContext): CompiledFilter {
  prepareRateLimitMessages();
  const shared = { name, config, context, counters: new RateLimitCounterSet(context.metrics, config) };
  return new RateLimit(shared, config.domain, new RoutePolicyTable(config, undefined));
}

/** What all routes of a chain share. */
interface Shared {
  readonly name: string;
  readonly config: GlobalRateLimitConfig;
  readonly context: FilterContext;
  readonly counters: RateLimitCounterSet;
}

/**
 *     passed → asked → passed | refused
 *
 * What is known of one request that some policy is about; where nothing is to be asked it has passed at once.
 */
interface Check {
  readonly subject: DescriptorSubject;
  readonly counters: RateLimitCounters;
  readonly onDone: readonly DescriptorMaker[];
  state: 'passed' | 'asked' | 'refused';
  call: UpstreamCall | undefined;
  responseHeaders: readonly HeaderPair[];
}

class RateLimit implements CompiledFilter {
  readonly name: string;
  readonly #shared: Shared;
  readonly #domain: string;
  readonly #policies: RoutePolicyTable;
  readonly #checks = new Map<FilterStream, Check>();

  constructor(shared: Shared, domain: string, policies: RoutePolicyTable) {
    this.name = shared.name;
    this.#shared = shared;
    this.#domain = domain;
    this.#policies = policies;
  }

  onRequestHead(stream: FilterStream): FilterVerdict {
    const { config, context } = this.#shared;
    const { route } = stream;
    if (route === undefined || !happens(config.filterEnabled, context)) return 'continue';
    const { onRequest, onDone } = this.#policies.of(route);
    if ((onRequest.length === 0 && onDone.length === 0) || !this.#isMeant(stream)) return 'continue';
    const clusterName = settledCluster(stream, context);
    const cluster = context.clusters.get(clusterName);
    // The router will say that there is no such cluster.
    if (cluster === undefined) return 'continue';
    const subject = { stream, clusterName, nodeCluster: context.nodeCluster };
    const counters = this.#shared.counters.of(cluster);
    const check: Check = { subject, counters, onDone, state: 'passed', call: undefined, responseHeaders: NO_HEADERS };
    this.#checks.set(stream, check);
    const descriptors = descriptorsOf(onRequest, subject);
    return descriptors.length === 0 ? 'continue' : this.#ask(check, descriptors);
  }

  onResponseHead(stream: FilterStream, head: ResponseHead): FilterVerdict {
    const check = this.#checks.get(stream);
    if (check === undefined) return 'continue';
    const { responseEdits } = stream;
    for (const { name, value } of check.responseHeaders) {
      // A local reply calls its body plain text; the service knows better what it wrote.
      if (name === 'content-type' && stream.isLocalReply) responseEdits.set(head.fields, name, value);
      else responseEdits.add(name, value);
    }
    if (check.state !== 'refused') return 'continue';
    for (const option of this.#shared.config.responseHeadersToAdd) {
      applyHeaderValueOption(responseEdits, head.fields, option);
    }
    return 'continue';
  }

  onStreamEnd(stream: FilterStream): void {
    const check = this.#checks.get(stream);
    if (check === undefined) return;
    this.#checks.delete(stream);
    if (check.state === 'asked') {
      check.call?.cancel();
      return;
    }
    const descriptors = descriptorsOf(check.onDone, check.subject);
    if (descriptors.length > 0) this.#call(descriptors, () => undefined);
  }

  forRoute([own]: Parameters<NonNullable<CompiledFilter['forRoute']>>[0]): CompiledFilter {
    if (own?.kind !== 'rateLimitOptions') return this;
    const { config } = this.#shared;
    const domain = own.domain === '' ? config.domain : own.domain;
    return new RateLimit(this.#shared, domain, new RoutePolicyTable(config, own));
  }

  #isMeant(stream: FilterStream): boolean {
    const { config, context } = this.#shared;
    return config.requestType === 'both' || context.isInternal(stream) === (config.requestType === 'internal');
  }

  /** The answer may be here before the question is out: where there is nobody to ask. */
  #ask(check: Check, descriptors: readonly RateLimitDescriptor[]): FilterVerdict {
    const { stream } = check.subject;
    let isAsking = true;
    let verdict: FilterVerdict = 'stop';
    check.state = 'asked';
    check.call = this.#call(descriptors, (outcome) => {
      check.state = 'passed';
      verdict = this.#decide(check, outcome);
      if (!isAsking && verdict === 'continue') stream.continueRequest();
    });
    isAsking = false;
    return verdict;
  }

  #call(descriptors: readonly RateLimitDescriptor[], onOutcome: (outcome: GrpcUnaryOutcome) => void): UpstreamCall {
    const { config, context } = this.#shared;
    const message = encodeRateLimitRequest(this.#domain, descriptors);
    return startGrpcUnaryCall(context.calls, config.service, SHOULD_RATE_LIMIT_PATH, message, onOutcome);
  }

  #decide(check: Check, outcome: GrpcUnaryOutcome): FilterVerdict {
    if (outcome.kind === 'failed') return this.#fail(check, outcome.detail);
    const answer = decodeRateLimitResponse(outcome.bytes);
    if (!answer.ok) return this.#fail(check, 'answer_not_understood');
    return this.#obey(check, answer.value);
  }

  #obey(check: Check, answer: RateLimitAnswer): FilterVerdict {
    const { config, context } = this.#shared;
    const { stream } = check.subject;
    for (const [key, value] of Object.entries(answer.dynamicMetadata)) {
      stream.metadata ??= new StreamMetadata();
      stream.metadata.set(METADATA_NAME, key, value);
    }
    check.responseHeaders = [
      ...answer.responseHeaders,
      ...(answer.isOverLimit && config.addsLimitedHeader ? [{ name: 'x-envoy-ratelimited', value: 'true' }] : []),
      ...(config.addsLimitHeaders ? limitHeaders(answer.statuses) : []),
    ].filter(canBeWritten);
    if (!answer.isOverLimit) check.counters.ok.increment();
    else {
      check.counters.limited();
      if (happens(config.filterEnforced, context)) return this.#refuse(check, answer.body);
    }
    for (const { name, value } of answer.requestHeaders.filter(canBeWritten)) stream.requestEdits.add(name, value);
    return 'continue';
  }

  #refuse(check: Check, body: string): FilterVerdict {
    const { rateLimitedStatus, rateLimitedAsResourceExhausted } = this.#shared.config;
    const grpcStatus = rateLimitedAsResourceExhausted
      ? GRPC_STATUS.resourceExhausted
      : grpcStatusOfHttp(rateLimitedStatus);
    check.state = 'refused';
    check.subject.stream.sendLocalReply(plainReply(rateLimitedStatus, LIMITED, body, 'RL', grpcStatus), '');
    return 'stop';
  }

  #fail({ subject, counters }: Check, detail: string): FilterVerdict {
    const { config, context } = this.#shared;
    counters.error.increment();
    if (happens(config.failureModeDeny, context)) {
      subject.stream.sendLocalReply(plainReply(config.statusOnError, FAILED, '', 'RLSE'), detail);
      return 'stop';
    }
    counters.failureModeAllowed.increment();
    return 'continue';
  }
}

function descriptorsOf(makers: readonly DescriptorMaker[], subject: DescriptorSubject): readonly RateLimitDescriptor[] {
  return makers.flatMap((make) => make(subject) ?? []);
}

/** The cluster that the request goes to, picked here and now where nobody has yet; '' where there is none. */
function settledCluster({ head, record, route }: FilterStream, { random }: FilterContext): string {
  if (record.clusterName === '') record.clusterName = route?.pickCluster(head, random)?.name ?? '';
  return record.clusterName;
}

function happens(fraction: Fraction, { random }: FilterContext): boolean {
  return fraction >= 1 || (fraction > 0 && random.next() < fraction);
}

/** What cannot stand in a head is left out; the verdict counts all the same. */
function canBeWritten({ name, value }: HeaderPair): boolean {
  return isWritable({ name, value, appendAction: 'appendIfExistsOrAdd' });
}
