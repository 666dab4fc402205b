import type { ExposedCheck, HealthQuery, NodeName, ServiceName } from '../translate/catalog.ts';
import type { ConfigEntryKind } from '../translate/config-entries.ts';
import type { CaRoots, LeafCertificate } from '../translate/identity.ts';
import type { AllIntentions } from '../translate/intentions.ts';
import { lastGoodEntries, lastGoodServices } from './last-good-rows.ts';
import {
  type NodeProxies,
  type ParsedHealth,
  parseExecution,
  parseHealth,
  parseNodeServices,
} from './parse-catalog.ts';
import { parseCaRoots, parseLeaf } from './parse-certificates.ts';
import { type ParsedEntries, parseConfigEntries } from './parse-config-entries.ts';
import { parseAgentChecks, parseExposedChecks } from './parse-expose.ts';
import { parseIntentions } from './parse-intentions.ts';
import type { WatchSpec } from './watch-hub.ts';

/** The things this control server watches: the path of each, and how its body is read. */

/** All entries of a kind in one watch: entries are few and small, connections are what is scarce. */
export function configEntriesWatch<K extends ConfigEntryKind>(kind: K): WatchSpec<ParsedEntries<K>> {
  return {
    key: `config ${kind}`,
    path: `/v1/config/${kind}`,
    query: {},
    mustBeWhole: true,
    parse: (body, previous) => parseConfigEntries(kind, body, previous),
    lastGoodBody: (body, { problems }, kept) => lastGoodEntries(kind, body, problems, kept),
  };
}

/** Everything registered on one node: one watch for all its sidecars. */
export function nodeServicesWatch(node: NodeName): WatchSpec<NodeProxies> {
  return {
    key: `node ${node}`,
    path: `/v1/catalog/node-services/${encodeURIComponent(node)}`,
    query: {},
    mustBeWhole: true,
    parse: parseNodeServices,
    lastGoodBody: (body, { problems }, kept) => lastGoodServices(body, problems.values(), kept),
  };
}

/** The checks that the node's agent runs through sidecars' listeners; only asked where a sidecar exposes checks. */
export function exposedChecksWatch(node: NodeName): WatchSpec<readonly ExposedCheck[]> {
  return {
    key: `exposed checks ${node}`,
    path: `/v1/health/node/${encodeURIComponent(node)}`,
    query: { filter: 'ExposedPort != 0' },
    mustBeWhole: true,
    parse: parseExposedChecks,
  };
}

const AGENT_CHECKS_POLL_MS = 3_000;

/**
 * The same as the answering agent itself knows them. It tells the catalog a check's port and output when its status changes,
 * and a check that nobody answers yet changes nothing: there, the catalog may learn of either minutes later only.
 */
export const agentChecksWatch: WatchSpec<readonly ExposedCheck[]> = {
  key: 'exposed checks of the agent',
  path: '/v1/agent/checks',
  query: { filter: 'ExposedPort != 0' },
  mustBeWhole: true,
  pollMs: AGENT_CHECKS_POLL_MS,
  parse: parseAgentChecks,
};

/** All instances the mesh can reach, failing ones too: their absence and their failure are different news. */
export function healthWatch(
  { service, datacenter, filter }: HealthQuery,
  localDatacenter: string,
): WatchSpec<ParsedHealth> {
  return {
    key: `health ${service} dc=${datacenter}${filter === '' ? '' : ` filter=${filter}`}`,
    path: `/v1/health/connect/${encodeURIComponent(service)}`,
    query: {
      ...(datacenter === localDatacenter ? {} : { dc: datacenter }),
      ...(filter === '' ? {} : { filter }),
    },
    mustBeWhole: true,
    parse: (body) => parseHealth(service, body, localDatacenter),
  };
}

/** The same of a service that has no sidecar: its own addresses. */
export function plainHealthWatch(query: HealthQuery, localDatacenter: string): WatchSpec<ParsedHealth> {
  const connect = healthWatch(query, localDatacenter);
  return {
    ...connect,
    key: `plain ${connect.key}`,
    path: `/v1/health/service/${encodeURIComponent(query.service)}`,
  };
}

/** What a prepared query finds, sidecars where there are any. Asked again and again: Consul lets nobody wait for it. */
export function preparedQueryWatch(
  { service, datacenter }: HealthQuery,
  localDatacenter: string,
  pollMs: number,
): WatchSpec<ParsedHealth> {
  return {
    key: `prepared query ${service} dc=${datacenter}`,
    path: `/v1/query/${encodeURIComponent(service)}/execute`,
    query: { connect: 'true', ...(datacenter === localDatacenter ? {} : { dc: datacenter }) },
    mustBeWhole: true,
    pollMs,
    parse: (body) => parseExecution(service, body, localDatacenter),
  };
}

/** Whom the mesh trusts, and the trust domain, which names clusters. It changes with the CA alone. */
export const caRootsWatch: WatchSpec<CaRoots> = {
  key: 'connect ca roots',
  path: '/v1/connect/ca/roots',
  query: {},
  parse: parseCaRoots,
};

/** The certificate of one service. The agent renews it in time; each renewal is a new value. */
export function leafWatch(service: ServiceName): WatchSpec<LeafCertificate> {
  return {
    key: `connect ca leaf ${service}`,
    path: `/v1/agent/connect/ca/leaf/${encodeURIComponent(service)}`,
    query: {},
    isSecret: true,
    parse: (body) => parseLeaf(service, body),
  };
}

/**
 * Who may call whom, with what holds where nothing is written. All in one watch, as other entries are: one for each service
 * would cost a connection for each.
 */
export const intentionsWatch: WatchSpec<AllIntentions> = {
  key: 'config service-intentions',
  path: '/v1/config/service-intentions',
  query: {},
  mustBeWhole: true,
  parse: (body, _previous, { defaultPolicy }) => parseIntentions(body, defaultPolicy),
};
