import type { Random } from '../../../base/random.ts';
import { type Host, type PickContext, PLAIN_PICK } from '../../cluster/cluster.ts';
import type { CompiledRetryPolicy } from '../../route/route.ts';
import { type HostOverride, LOCAL_REPLIES, type LocalReply } from '../filter.ts';
import type { RoutedStream } from './routed-stream.ts';
import type { UpstreamCluster } from './upstreams.ts';

/** Why a cluster takes no request now; undefined: it takes this one, whose place is to be given back. */
export function admissionRefusal(upstream: UpstreamCluster, random: Random): LocalReply | undefined {
  if (upstream.refusal !== undefined) return upstream.refusal;
  if (upstream.cluster.dropsRequest(random)) {
    upstream.counters.rqDropOverload.increment();
    return LOCAL_REPLIES.dropOverload;
  }
  if (upstream.cluster.breakers.tryAcquire('requests')) return undefined;
  upstream.counters.rqOverflow.increment();
  return LOCAL_REPLIES.requestOverflow;
}

/** Somebody may have acted on an earlier attempt: then nobody may say that the request reached no one. */
export function honestReply(reply: LocalReply, hasBeenSent: boolean): LocalReply {
  return reply.isNotProcessed && hasBeenSent ? { ...reply, isNotProcessed: false } : reply;
}

/** A host for one more attempt; undefined where there is none, which is counted. */
export function pickHost(
  upstream: UpstreamCluster,
  stream: RoutedStream,
  hash: bigint | undefined,
  triedHosts: readonly Host[],
  policy: CompiledRetryPolicy | undefined,
): Host | undefined {
  const host = upstream.pick(pickContextOf(hash, triedHosts, policy, stream.overrideHost), stream);
  if (host === undefined) upstream.counters.noHealthyUpstream.increment();
  return host;
}

/** What is asked of a pick; nearly always nothing. */
function pickContextOf(
  hash: bigint | undefined,
  triedHosts: readonly Host[],
  policy: CompiledRetryPolicy | undefined,
  override: HostOverride | undefined,
): PickContext {
  if (hash === undefined && triedHosts.length === 0 && override === undefined) return PLAIN_PICK;
  return {
    hash,
    excluded: policy?.previousHosts === true ? triedHosts : [],
    maxAttempts: policy?.hostSelectionRetryMaxAttempts ?? 1,
    override,
    previousPriorities: previousPriorities(triedHosts, policy?.previousPrioritiesUpdateFrequency),
  };
}

function previousPriorities(
  triedHosts: readonly Host[],
  updateFrequency: number | undefined,
): PickContext['previousPriorities'] {
  if (updateFrequency === undefined || triedHosts.length < updateFrequency) return undefined;
  return { tried: triedHosts.map(({ priority }) => priority), updateFrequency };
}
