import type { Clock } from '../base/clock.ts';
import {
  CLUSTER_LOAD_ASSIGNMENT_TYPE,
  CLUSTER_TYPE,
  LISTENER_TYPE,
  ROUTE_CONFIGURATION_TYPE,
  SECRET_TYPE,
} from '../resource/type-url.ts';
import type { ClusterLoad, XdsServerState, XdsStreamState, XdsTypeState } from '../xds/server/server.ts';
import type {
  ConsoleViews,
  CounterReading,
  IntentionsView,
  Overview,
  ProblemView,
  ProxyDetail,
  ServicesView,
  SidecarView,
  TypeView,
} from './console/console.ts';
import type { Consul } from './consul/consul.ts';
import type { EndpointFeed } from './endpoint-feed.ts';
import { type GrpcClients, isGrpcClient } from './grpc-clients.ts';
import type { IntentionsFeed } from './intentions-feed.ts';
import type { ProxyFeeds } from './proxy-feeds.ts';
import type { SecretStreams } from './secret-streams.ts';
import type { SnapshotStore } from './snapshot/snapshot.ts';
import { type MutualTls, unobeyedTls } from './translate/translate.ts';

export interface ConsoleViewSources {
  readonly consul: Consul;
  readonly feeds: ProxyFeeds;
  readonly endpoints: EndpointFeed;
  readonly intentions: IntentionsFeed;
  readonly mutualTls: MutualTls;
  readonly secrets: SecretStreams;
  readonly grpcClients: GrpcClients;
  readonly store: SnapshotStore;
  readonly xds: XdsServerState;
  readonly clock: Clock;
  readonly recentTraces: (() => readonly unknown[]) | undefined;
}

const SHORT_NAMES: ReadonlyMap<string, string> = new Map([
  [CLUSTER_TYPE, 'CDS'],
  [CLUSTER_LOAD_ASSIGNMENT_TYPE, 'EDS'],
  [LISTENER_TYPE, 'LDS'],
  [ROUTE_CONFIGURATION_TYPE, 'RDS'],
  [SECRET_TYPE, 'SDS'],
]);

/** The parts of the control server as the console wants to see them. */
export function consoleViews(sources: ConsoleViewSources): ConsoleViews {
  return {
    overview: () => overview(sources),
    proxy: (nodeId) => proxyDetail(sources, nodeId),
    counters: () => counters(sources),
    readiness: () => (sources.consul.status.link.kind === 'down' ? 'degraded' : 'live'),
  };
}

async function overview(sources: ConsoleViewSources): Promise<Overview> {
  const { consul, feeds, xds, store, clock } = sources;
  const { link, address, watches } = consul.status;
  const nowMs = clock.wallMs();
  return {
    consul: {
      address,
      state: link.kind,
      leader: link.kind === 'up' ? link.leader : undefined,
      error: link.kind === 'down' ? link.error : undefined,
      watches: watches.map(({ key, state, lastSuccessWallMs, subscribers, isStreamed, error }) => ({
        key,
        state,
        subscribers,
        streamed: isStreamed,
        error,
        ageSeconds:
          lastSuccessWallMs === undefined ? undefined : Math.max(0, Math.round((nowMs - lastSuccessWallMs) / 1_000)),
      })),
    },
    services: await servicesView(consul),
    sidecars: xds.streams().map((stream) => sidecarView(stream, feeds)),
    intentions: intentionViews(sources.intentions),
    problems: allProblems(sources),
    xds: {
      streams: xds.streams().length,
      acknowledged: xds.counters.acknowledged,
      rejected: xds.counters.rejected,
      responses: xds.counters.responses,
      snapshots: store.counters.snapshots,
    },
    loads: xds.loads.view(),
    recentTraces: sources.recentTraces?.() ?? [],
  };
}

async function servicesView(consul: Consul): Promise<ServicesView> {
  try {
    const services = await consul.services();
    return {
      state: 'known',
      services: services.map(({ name, instances }) => ({ name, instances, health: countByHealth(instances) })),
    };
  } catch (error) {
    return { state: 'unavailable', error: error instanceof Error ? error.message : String(error) };
  }
}

function intentionViews(feed: IntentionsFeed): readonly IntentionsView[] {
  return feed.all().map(({ service, known }) => ({
    service,
    enforced: feed.isEnforced,
    defaultPolicy: known?.defaultPolicy ?? 'unknown',
    rules:
      known?.intentions.map(({ source, destination, decision, precedence, modifyIndex }) => ({
        source,
        destination,
        decision: decision.kind,
        precedence,
        modifyIndex,
      })) ?? [],
  }));
}

function countByHealth(instances: readonly { readonly health: 'passing' | 'warning' | 'critical' }[]): {
  readonly passing: number;
  readonly warning: number;
  readonly critical: number;
} {
  const counted = { passing: 0, warning: 0, critical: 0 };
  for (const { health } of instances) counted[health] += 1;
  return counted;
}

/** One problem is often every proxy's (an entry that all use): it is shown once. */
function allProblems(sources: ConsoleViewSources): readonly ProblemView[] {
  const { consul, endpoints, intentions, feeds, secrets, grpcClients, xds, mutualTls } = sources;
  const { entries } = consul.entries.state;
  const problems = [
    ...consul.entries.state.problems,
    ...(entries === undefined ? [] : unobeyedTls(entries, mutualTls)),
    ...endpoints.problems(),
    ...intentions.problems(),
    ...secrets.problems(),
    ...feeds.all().flatMap(([, feed]) => feed.problems()),
    ...grpcClients.problems(),
    ...xds.streams().flatMap(refusals),
  ];
  return [...new Map(problems.map((problem) => [`${problem.where}\0${problem.message}`, problem])).values()];
}

function refusals({ node, types }: XdsStreamState): readonly ProblemView[] {
  return types.flatMap(({ typeUrl, rejected }) => {
    if (rejected === undefined) return [];
    const where = `proxy ${node?.id ?? '(unnamed)'}`;
    return [{ severity: 'error' as const, where, message: `refused ${shortName(typeUrl)}: ${rejected.detail}` }];
  });
}

function sidecarView(stream: XdsStreamState, feeds: ProxyFeeds): SidecarView {
  const id = stream.node?.id ?? '';
  const feed = feeds.of(id);
  return {
    id,
    service: feed?.registration?.destinationService,
    registration: stream.node !== undefined && isGrpcClient(stream.node) ? 'none' : (feed?.state.kind ?? 'locating'),
    peer: stream.peer,
    userAgent: [stream.node?.userAgentName, stream.node?.userAgentVersion].filter(Boolean).join(' '),
    variant: stream.variant,
    connectedAt: new Date(stream.connectedAtWallMs).toISOString(),
    snapshotVersion: stream.snapshotVersion,
    types: stream.types.map(typeView),
  };
}

function typeView({ typeUrl, sync, sentVersion, acknowledgedVersion, rejected }: XdsTypeState): TypeView {
  return {
    type: shortName(typeUrl),
    sync: sync === 'synced' ? 'SYNCED' : sync === 'stale' ? 'STALE' : 'NACKED',
    sentVersion,
    acknowledgedVersion,
    detail: rejected?.detail,
  };
}

function proxyDetail({ feeds, store, xds }: ConsoleViewSources, nodeId: string): ProxyDetail | undefined {
  const feed = feeds.of(nodeId);
  if (feed === undefined) return undefined;
  const snapshot = store.snapshotOf(nodeId);
  const resources = [...(snapshot?.types.values() ?? [])].flatMap((ofType) => [...ofType.resources.values()]);
  return {
    id: nodeId,
    registration: feed.registration ?? null,
    state: feed.state.kind,
    streams: xds
      .streams()
      .filter(({ node }) => node?.id === nodeId)
      .map((stream) => sidecarView(stream, feeds)),
    problems: feed.problems(),
    snapshot:
      snapshot === undefined
        ? undefined
        : {
            version: snapshot.version,
            resources: resources.map(({ typeUrl, name, version, any }) => ({
              type: shortName(typeUrl),
              name,
              version,
              bytes: any.length,
            })),
          },
  };
}

function counters({ consul, store, xds, feeds }: ConsoleViewSources): readonly CounterReading[] {
  const { watches, questions, link } = consul.status;
  const oldestSuccessMs = Math.min(...watches.map(({ lastSuccessWallMs }) => lastSuccessWallMs ?? 0));
  const gauge = (name: string, help: string, value: number): CounterReading => ({ name, help, kind: 'gauge', value });
  const counter = (name: string, help: string, value: number): CounterReading => ({
    name,
    help,
    kind: 'counter',
    value,
  });
  return [
    gauge('weft_consul_up', 'Whether Consul answered the last probe.', link.kind === 'up' ? 1 : 0),
    gauge('weft_consul_watches', 'Watches on Consul.', watches.length),
    gauge('weft_consul_watches_troubled', 'Watches whose last question failed.', watches.filter(isTroubled).length),
    gauge('weft_consul_questions_held', 'Questions open at Consul.', questions.inUse),
    gauge('weft_consul_questions_waiting', 'Questions waiting for a connection.', questions.waiting),
    gauge(
      'weft_consul_oldest_answer_timestamp_seconds',
      'When the watch that was answered longest ago was answered.',
      Number.isFinite(oldestSuccessMs) ? oldestSuccessMs / 1_000 : 0,
    ),
    gauge('weft_xds_first_states_waiting', 'Streams that wait for their first state.', xds.admission.waiting),
    counter('weft_xds_heartbeats_total', 'Responses that only said that resources live on.', xds.counters.heartbeats),
    counter('weft_xds_connections_total', 'Connections accepted.', xds.counters.connectionsAccepted),
    counter('weft_xds_connections_dropped_total', 'Connections beyond the bound.', xds.counters.connectionsDropped),
    counter('weft_xds_handshakes_failed_total', 'TLS handshakes that failed.', xds.counters.handshakesFailed),
    counter(
      'weft_xds_connections_failed_total',
      'Connections ended because the client broke HTTP/2, a bound on it, or answered no ping.',
      xds.counters.connectionsFailed,
    ),
    gauge('weft_load_reporters', 'Clients that report loads.', xds.loads.counters.streams),
    counter('weft_load_reports_total', 'Load reports received.', xds.loads.counters.reports),
    ...loadReadings(xds.loads.view()),
    gauge('weft_proxies', 'Proxies followed.', feeds.all().length),
    gauge('weft_xds_streams', 'Streams open.', xds.streams().length),
    counter('weft_xds_responses_total', 'Responses sent.', xds.counters.responses),
    counter('weft_xds_response_bytes_total', 'Bytes of responses sent.', xds.counters.responseBytes),
    counter('weft_xds_acknowledged_total', 'Responses accepted.', xds.counters.acknowledged),
    counter('weft_xds_rejected_total', 'Responses refused.', xds.counters.rejected),
    counter('weft_xds_streams_refused_total', 'Streams ended by this server.', xds.counters.streamsRefused),
    counter('weft_snapshots_total', 'Snapshots made visible.', store.counters.snapshots),
    counter('weft_snapshots_inconsistent_total', 'Snapshots held back.', store.counters.refusedInconsistent),
    counter('weft_assignment_changes_total', 'Changes of endpoints.', store.counters.assignmentChanges),
    counter('weft_resources_encoded_total', 'Resources encoded.', store.encoding.encoded),
    counter('weft_resources_reused_total', 'Resources whose bytes were shared.', store.encoding.reused),
  ];
}

/** By cluster, each name of a metric together. */
function loadReadings(loads: readonly ClusterLoad[]): readonly CounterReading[] {
  const readings = (name: string, help: string, value: (load: ClusterLoad) => number): readonly CounterReading[] =>
    loads.map((load) => ({ name, help, kind: 'counter', labels: { cluster: load.cluster }, value: value(load) }));
  return [
    ...readings('weft_load_requests_issued_total', 'Requests that clients report.', ({ issued }) => issued),
    ...readings('weft_load_requests_failed_total', 'Requests that clients report as failed.', ({ failed }) => failed),
    ...readings('weft_load_requests_dropped_total', 'Requests that clients dropped.', ({ dropped }) => dropped),
  ];
}

function isTroubled({ state }: { readonly state: string }): boolean {
  return state === 'failing' || state === 'stale';
}

function shortName(typeUrl: string): string {
  return SHORT_NAMES.get(typeUrl) ?? typeUrl;
}
