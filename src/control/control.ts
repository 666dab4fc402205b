/**
 * The control server, put together: watch Consul, translate for each connected proxy, keep snapshots, serve them. This
 * file wires and decides nothing; it keeps no state beyond what its parts hold, and any number of it may run side by side.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { type Clock, systemClock } from '../base/clock.ts';
import { type Random, systemRandom } from '../base/random.ts';
import type { Logger } from '../telemetry/log/log.ts';
import { type SnapshotSource, startXdsServer } from '../xds/server/server.ts';
import { openCertified } from './certified-node.ts';
import { startConsole } from './console/console.ts';
import { consoleViews } from './console-views.ts';
import { Consul, type ConsulAccess, type LinkState } from './consul/consul.ts';
import { EndpointFeed } from './endpoint-feed.ts';
import { GrpcClients, isGrpcClient } from './grpc-clients.ts';
import { IntentionsFeed } from './intentions-feed.ts';
import { LocalDatacenter } from './local-datacenter.ts';
import { ProblemLog } from './problem-log.ts';
import { ProxyFeeds } from './proxy-feeds.ts';
import { SecretStreams } from './secret-streams.ts';
import { type ServingFiles, servingCertificates } from './serving-certificates.ts';
import { type ResourceTerms, SnapshotStore } from './snapshot/snapshot.ts';
import { StateFolder } from './state-folder.ts';
import { datacenter, type GrpcScope, type MutualTls, type Problem, unobeyedTls } from './translate/translate.ts';
import { TrustDomainFeed } from './trust-domain-feed.ts';

export interface ControlOptions {
  readonly consul: ConsulAccess & {
    /** Questions held open at once; an agent allows 200 connections of one client by default. */
    readonly maxConcurrentQuestions?: number | undefined;
  };
  readonly host?: string | undefined;
  /** A time to live for all resources, and whether clients report loads; neither by default. */
  readonly terms?: ResourceTerms | undefined;
  /** What the xDS server shows and whom it takes; absent serves plaintext. */
  readonly tls?: ServingFiles | undefined;
  /** Whether sidecars speak TLS with each other; `off` where nothing is said. */
  readonly mutualTls?: MutualTls | undefined;
  /** 0 picks a free port. */
  readonly xdsPort?: number | undefined;
  readonly consoleHost?: string | undefined;
  readonly consolePort?: number | undefined;
  /** Host names beside IP addresses and localhost under which the console may be asked for. */
  readonly consoleHostNames?: readonly string[] | undefined;
  /** Reject instead of serving when Consul cannot be reached at the start and nothing is known from before. */
  readonly requireConsul?: boolean | undefined;
  /** Where what Consul said last is kept, for a start without it; undefined keeps nothing. */
  readonly stateFolder?: string | undefined;
  /** How often prepared queries are executed. */
  readonly preparedQueryPollMs?: number | undefined;
  readonly log: Logger;
  /** Recent traces for the console, newest first; JSON-able. */
  readonly recentTraces?: (() => readonly unknown[]) | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
}

export interface RunningControl {
  readonly xdsPort: number;
  readonly consolePort: number;
  /** Sends proxies elsewhere, then stops. */
  stop(): Promise<void>;
}

/** What is done about instances that have no sidecar to speak TLS with. */
const PLAIN_INSTANCES = { off: 'used', permissive: 'markedPlaintext', strict: 'leftOut' } as const;
const DEFAULT_HOST = '127.0.0.1';
const DEFAULT_XDS_PORT = 18_000;
const DEFAULT_CONSOLE_PORT = 18_080;

export async function startControl(options: ControlOptions): Promise<RunningControl> {
  const clock = options.clock ?? systemClock;
  const random = options.random ?? systemRandom;
  const { log, mutualTls = 'off' } = options;
  const nowMs = (): number => clock.nowMs();
  const serving = options.tls === undefined ? undefined : servingCertificates(options.tls, nowMs);

  // Watch.
  const memory = stateFolderOf(options, clock);
  const consul = new Consul({
    ...options.consul,
    memory,
    preparedQueryPollMs: options.preparedQueryPollMs,
    clock,
    random,
    onLink: (state) => tellLink(log, options, state),
    onSubscriberFault: (error) => log.error({ err: error }, 'a fault while taking news from Consul; please report it'),
  });
  const trustDomain = new TrustDomainFeed(consul, () => {
    feeds.refresh('everything');
    grpcClients.refresh();
  });
  const local = new LocalDatacenter(consul, () => grpcClients.refresh());
  const problems = new ProblemLog(log);
  consul.entries.tellProblems((found) => {
    const { entries } = consul.entries.state;
    problems.told('config entries', [...found, ...(entries === undefined ? [] : unobeyedTls(entries, mutualTls))]);
  });
  consul.entries.subscribe((change) => {
    feeds.refresh(change);
    grpcClients.refresh();
  });

  // Translate, and keep snapshots: what a proxy is made of is watched only while it is connected.
  const store = new SnapshotStore({
    nowMs,
    terms: options.terms,
    onWanted: (nodeId, node) => {
      log.info(`proxy ${nodeId} connected from ${node.peer}`);
      feeds.want(nodeId);
    },
    onUnwanted: (nodeId) => {
      log.info(`proxy ${nodeId} disconnected`);
      feeds.unwant(nodeId);
    },
    onAssignments: (names) => grpcClients.assignmentsChanged(names),
  });
  const endpoints = new EndpointFeed({
    ...{ consul, store, plainInstances: PLAIN_INSTANCES[mutualTls] },
    localDatacenter: () => feeds.datacenter || local.name,
    onFirstAssignment: (name) => feeds.assignmentArrived(name),
  });
  const intentions = new IntentionsFeed({
    consul,
    isEnforced: mutualTls !== 'off',
    onChange: (change) => feeds.refresh(change),
    warn: (message) => log.warn(message),
  });
  const onProblems = (nodeId: string, found: readonly Problem[]): void => problems.told(`proxy ${nodeId}`, found);
  const feeds = new ProxyFeeds({
    ...{ consul, store, endpoints, trustDomain, intentions, mutualTls, memory, nowMs, onProblems },
  });
  const scope = (): GrpcScope | undefined => {
    const mesh = feeds.mesh();
    const name = feeds.datacenter || local.want();
    return mesh === undefined || name === '' ? undefined : { ...mesh, datacenter: datacenter(name) };
  };
  const grpcClients = new GrpcClients({ store, endpoints, scope, isStrict: mutualTls === 'strict', nowMs });
  const secrets = new SecretStreams({
    ...{ consul, store },
    serviceOf: (nodeId) => feeds.of(nodeId)?.registration?.destinationService,
    onProblems: (nodeId, found) => problems.told(`secrets of ${nodeId}`, found),
  });
  const openSidecar: SnapshotSource['open'] = (node, listener) =>
    secrets.open(node, listener, (inner) => openCertified(node, inner, store, feeds));
  const stopWatching = async (): Promise<void> => {
    feeds.stop();
    grpcClients.stop();
    local.stop();
    endpoints.stop();
    intentions.stop();
    trustDomain.stop();
    store.stop();
    await consul.stop();
    await memory?.flush();
  };

  try {
    if (options.requireConsul === true) await requireConsul(consul, memory, log);
    consul.start();
    trustDomain.start();

    // Serve.
    const xds = await startXdsServer({
      // Sidecars get what their registration says, gRPC clients what they ask for.
      source: {
        open: (node, listener) => (isGrpcClient(node) ? grpcClients.open(node, listener) : openSidecar(node, listener)),
      },
      tls: serving,
      onTlsFault: onceEach((message) => log.error(`the xDS server keeps its certificates of before: ${message}`)),
      onUnexpectedError: (error) =>
        log.error(
          `a fault of the xDS server has cost one connection: ${error instanceof Error ? error.stack : String(error)}`,
        ),
      host: options.host ?? DEFAULT_HOST,
      port: options.xdsPort ?? DEFAULT_XDS_PORT,
      clock,
      onRejected: (stream, typeUrl, version, detail) =>
        log.warn(`proxy ${stream.node?.id ?? '(unnamed)'} refused ${typeUrl} version ${version}: ${detail}`),
    });
    const views = consoleViews({
      consul,
      feeds,
      endpoints,
      intentions,
      mutualTls,
      secrets,
      grpcClients,
      store,
      xds: xds.state,
      clock,
      recentTraces: options.recentTraces,
    });
    const web = await startConsole({
      host: options.consoleHost ?? DEFAULT_HOST,
      port: options.consolePort ?? DEFAULT_CONSOLE_PORT,
      hostNames: options.consoleHostNames ?? [],
      views,
    }).catch(async (error: unknown) => {
      await xds.stop();
      throw error;
    });
    return {
      xdsPort: xds.port,
      consolePort: web.port,
      stop: async () => {
        await xds.stop();
        await web.stop();
        await stopWatching();
      },
    };
  } catch (error) {
    await stopWatching();
    throw error;
  }
}

/** One line per change, saying what it means for the mesh. */
function tellLink(log: Logger, options: ControlOptions, state: LinkState): void {
  const where = options.consul.addresses.join(', ');
  if (state.kind === 'up') log.info(`Consul answers at ${where} (leader ${state.leader})`);
  if (state.kind !== 'down') return;
  log.warn(`Consul cannot be reached at ${where}: ${state.error}. Proxies keep what they have; trying again every 2 s`);
}

function stateFolderOf({ stateFolder, consul, log }: ControlOptions, clock: Clock): StateFolder | undefined {
  if (stateFolder === undefined) return undefined;
  // What another Consul said is not asked for here.
  const { addresses, datacenter = '', namespace = '', partition = '' } = consul;
  const scope = createHash('sha256').update([...addresses].sort().concat(datacenter, namespace, partition).join('\n'));
  return new StateFolder({
    folder: join(stateFolder, scope.digest('hex').slice(0, 16)),
    wallMs: () => clock.wallMs(),
    onFault: (message) => log.warn(message),
  });
}

/** Rejects where there is neither Consul nor anything known from before. */
async function requireConsul(consul: Consul, memory: StateFolder | undefined, log: Logger): Promise<void> {
  try {
    await consul.requireLeader();
  } catch (error) {
    if (memory === undefined || memory.isEmpty) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    log.warn(`${reason}. Serving what was known before, from ${memory.folder}, until Consul answers`);
  }
}

/** Says a thing that is found again every second only when it changes. */
function onceEach(tell: (message: string) => void): (message: string) => void {
  let told = '';
  return (message) => {
    if (message !== told) tell(message);
    told = message;
  };
}
