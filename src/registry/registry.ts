/**
 * `weft registry`: an agent that answers Consul's HTTP API from memory, so that a laptop, a demo and the tests need nothing else.
 * It knows what Consul knows (registrations, checks that really run, the catalog with Consul's indexes and blocking queries, config
 * entries with Consul's validation, keys and sessions) and nothing of the mesh built on top: not `control/`, not `sidecar/`.
 * It keeps nothing on disk, not even its certificate authority, and has one node, one datacenter and no ACLs.
 */
import { randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { type Clock, systemClock } from '../base/clock.ts';
import { type Random, systemRandom } from '../base/random.ts';
import { DEFAULT_EXPOSE_MIN_PORT } from './agent/exposed-ports.ts';
import { LocalAgent } from './agent/local-agent.ts';
import { agentRoutes } from './api/agent-routes.ts';
import { caRoutes } from './api/ca-routes.ts';
import { catalogRoutes } from './api/catalog-routes.ts';
import { configRoutes } from './api/config-routes.ts';
import { connectRoutes } from './api/connect-routes.ts';
import { discoveryChainRoutes } from './api/discovery-chain-routes.ts';
import { healthRoutes } from './api/health-routes.ts';
import { kvRoutes } from './api/kv-routes.ts';
import { createRegistryServer } from './api/registry-server.ts';
import { Router } from './api/router.ts';
import { Waiting } from './api/waiting.ts';
import { ConnectCa } from './connect-ca/connect-ca.ts';
import { type FaultScope, FaultSwitches, type RequestFault } from './faults.ts';
import { Catalog } from './state/catalog.ts';
import { ChangeIndex } from './state/change-index.ts';
import { ConfigEntries } from './state/config-entries.ts';
import { KeyValues } from './state/key-values.ts';
import { PreparedQueries } from './state/prepared-queries.ts';
import type { RegistryState } from './state/registry-state.ts';
import { Sessions } from './state/sessions.ts';

export type { FaultScope, RequestFault } from './faults.ts';

export interface RegistryOptions {
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default 8500; 0 takes a free one. */
  readonly port?: number;
  /** Default dc1. */
  readonly datacenter?: string;
  /** Default weft. */
  readonly nodeName?: string;
  readonly clock?: Clock;
  readonly random?: Random;
  /** Blocking queries of one client address; Consul's agents allow 200 connections. */
  readonly maxWaitingPerClient?: number;
  readonly maxWaiting?: number;
  /** How often services that stay critical are looked for (30 s), and the least they are given (60 s). */
  readonly reapIntervalMs?: number;
  readonly minDeregisterAfterMs?: number;
  /** The first of the 256 ports through which sidecars expose checks; default 21500. */
  readonly exposeMinPort?: number;
}

export interface Registry {
  readonly address: string;
  readonly port: number;
  /** `http://127.0.0.1:8500` */
  readonly url: string;
  /** Faults for tests. */
  readonly inject: RegistryFaults;
  /** Clients waiting in blocking queries at this moment. */
  waitingQueries(): number;
  /** Finishes what is being answered, ends what waits, and lets go of the port. */
  stop(): Promise<void>;
}

export interface RegistryFaults {
  /** The index falls to `index` (default 1) and everybody who waits is answered, as after a restored snapshot. */
  resetIndex(index?: number): void;
  onRequest(fault: RequestFault, scope?: FaultScope): void;
  /** Requests that met a fault so far. */
  met(): number;
  /** Ends all request faults; connections that hang are closed. */
  clear(): void;
}

const DEFAULT_PORT = 8500;
const MAX_CONNECTIONS = 8192;
const MAX_SERVICES = 20_000;
const MAX_CHECKS = 40_000;

/** Answers once the port is bound; rejects with what is wrong and what to do when it cannot be. */
export async function startRegistry(options: RegistryOptions = {}): Promise<Registry> {
  const host = options.host ?? '127.0.0.1';
  const random = options.random ?? systemRandom;
  const state = await createState(options, host);
  const faults = new FaultSwitches();
  const waiting = new Waiting({
    changes: state.changes,
    random,
    maxWaitingPerClient: options.maxWaitingPerClient ?? 2048,
    maxWaiting: options.maxWaiting ?? 8000,
  });
  const router = new Router([
    ...agentRoutes(state),
    ...catalogRoutes(state),
    ...healthRoutes(state),
    ...configRoutes(state),
    ...kvRoutes(state),
    ...connectRoutes(state),
    ...caRoutes(state),
    ...discoveryChainRoutes(state),
  ]);
  const server = createRegistryServer({
    router,
    waiting,
    changes: state.changes,
    faults,
    datacenter: state.datacenter,
    maxConnections: MAX_CONNECTIONS,
  });
  const bound = await listen(server, host, options.port ?? DEFAULT_PORT);
  return {
    address: bound.address,
    port: bound.port,
    url: `http://${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`,
    inject: {
      resetIndex: (index = 1) => {
        state.changes.rewind(index);
        waiting.releaseAll();
      },
      onRequest: (fault, scope = {}) => faults.add(fault, scope),
      met: () => faults.met,
      clear: () => {
        faults.clear();
        server.closeAllConnections();
      },
    },
    waitingQueries: () => waiting.size,
    stop: () => {
      state.agent.stop();
      state.sessions.stop();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      waiting.releaseAll();
      server.closeIdleConnections();
      // Answers on their way get a turn; then whatever still hangs is cut.
      setImmediate(() => server.closeAllConnections());
      return closed;
    },
  };
}

async function createState(options: RegistryOptions, host: string): Promise<RegistryState> {
  const changes = new ChangeIndex();
  const catalog = new Catalog(changes);
  const nodeName = options.nodeName ?? 'weft';
  const datacenter = options.datacenter ?? 'dc1';
  const nodeId = randomUUID();
  const advertiseAddress = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  const keyValues = new KeyValues(changes);
  const clock = options.clock ?? systemClock;
  const random = options.random ?? systemRandom;
  const trustDomain = `${randomUUID()}.consul`;
  const connectCa = await ConnectCa.create({ trustDomain, datacenter, changes, clock, random });
  const agent = new LocalAgent({
    catalog,
    changes,
    nodeName,
    clock,
    random,
    maxServices: MAX_SERVICES,
    maxChecks: MAX_CHECKS,
    reapIntervalMs: options.reapIntervalMs ?? 30_000,
    minDeregisterAfterMs: options.minDeregisterAfterMs ?? 60_000,
    exposeMinPort: options.exposeMinPort ?? DEFAULT_EXPOSE_MIN_PORT,
  });
  addOwnNode(catalog, { nodeName, nodeId, datacenter, advertiseAddress });
  return {
    datacenter,
    nodeName,
    nodeId,
    advertiseAddress,
    connectCa,
    changes,
    catalog,
    agent,
    configEntries: new ConfigEntries(changes, datacenter),
    keyValues,
    sessions: new Sessions(changes, (session, behavior) => keyValues.endSession(session, behavior)),
    preparedQueries: new PreparedQueries(changes),
  };
}

interface OwnNode {
  readonly nodeName: string;
  readonly nodeId: string;
  readonly datacenter: string;
  readonly advertiseAddress: string;
}

/** Every Consul server stands in its own catalog: a node, its `serfHealth`, and the service `consul`. */
function addOwnNode(catalog: Catalog, own: OwnNode): void {
  const { nodeName, nodeId, datacenter, advertiseAddress } = own;
  catalog.ensureNode({
    ID: nodeId,
    Node: nodeName,
    Address: advertiseAddress,
    Datacenter: datacenter,
    TaggedAddresses: {
      lan: advertiseAddress,
      lan_ipv4: advertiseAddress,
      wan: advertiseAddress,
      wan_ipv4: advertiseAddress,
    },
    Meta: { 'consul-network-segment': '' },
  });
  catalog.ensureService(nodeName, {
    ID: 'consul',
    Service: 'consul',
    Tags: [],
    Address: '',
    Meta: {},
    Port: 8300,
    Weights: { Passing: 1, Warning: 1 },
    EnableTagOverride: false,
    Proxy: { Mode: '', MeshGateway: {}, Expose: {} },
    Connect: {},
  });
  catalog.ensureCheck(nodeName, {
    Node: nodeName,
    CheckID: 'serfHealth',
    Name: 'Serf Health Status',
    Status: 'passing',
    Notes: '',
    Output: 'Agent alive and reachable',
    ServiceID: '',
    ServiceName: '',
    ServiceTags: [],
    Type: '',
    Interval: '',
    Timeout: '',
    ExposedPort: 0,
    Definition: {},
  });
}

function listen(server: ReturnType<typeof createRegistryServer>, host: string, port: number): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      reject(
        new Error(
          `registry: cannot listen on ${host}:${port}: ${error.message}. Stop what uses the port, or choose another with --port.`,
          { cause: error },
        ),
      );
    });
    server.listen(port, host, () => {
      const bound = server.address();
      if (bound === null || typeof bound === 'string') reject(new Error(`registry: ${host}:${port} has no address`));
      else resolve(bound);
    });
  });
}
