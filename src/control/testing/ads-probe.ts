import { protoJson } from '../../resource/proto-json.ts';
import {
  CLUSTER_LOAD_ASSIGNMENT_TYPE,
  CLUSTER_TYPE,
  LISTENER_TYPE,
  RESOURCE_TYPES,
  ROUTE_CONFIGURATION_TYPE,
} from '../../resource/type-url.ts';
import { type HeldResource, XdsClient, type XdsClientState } from '../../xds/client/client.ts';
import { assignmentOf } from '../snapshot/consistency.ts';
import type { Json } from '../snapshot/resource-literal.ts';

/** A proxy that obeys nothing and remembers everything: it subscribes as a sidecar does and keeps what it is told, as ProtoJSON. */
export class AdsProbe {
  readonly client: XdsClient<Json>;
  /** One line per update: `EDS +api.default… -old`. */
  readonly updates: string[] = [];
  lastError = '';

  constructor(port: number, nodeId: string, isDelta = false) {
    this.client = new XdsClient<Json>({
      servers: [{ host: '127.0.0.1', port }],
      node: { id: nodeId, cluster: '', locality: { region: '', zone: '', subZone: '' }, metadata: {} },
      isDelta,
      userAgentVersion: 'test',
      decode: (typeUrl, message) => ({
        ok: true,
        value: protoJson(typeUrl.slice('type.googleapis.com/'.length), message) as Json,
      }),
      onUpdate: ({ typeUrl, changed, removed }) => this.#updated(typeUrl, changed, removed),
      onState: (_state: XdsClientState, lastError) => {
        if (lastError !== '') this.lastError = lastError;
      },
      backoff: { baseMs: 20, factor: 1.2, maxMs: 200 },
    });
    this.client.setSubscription(CLUSTER_TYPE, 'everything');
    this.client.setSubscription(LISTENER_TYPE, 'everything');
    this.client.start();
  }

  clusters(): ReadonlyMap<string, Json> {
    return this.#values(CLUSTER_TYPE);
  }

  assignments(): ReadonlyMap<string, Json> {
    return this.#values(CLUSTER_LOAD_ASSIGNMENT_TYPE);
  }

  listeners(): ReadonlyMap<string, Json> {
    return this.#values(LISTENER_TYPE);
  }

  routes(): ReadonlyMap<string, Json> {
    return this.#values(ROUTE_CONFIGURATION_TYPE);
  }

  /** `address:port HEALTHY` of every endpoint of an assignment. */
  endpoints(name: string): readonly string[] {
    const assignment = this.assignments().get(name);
    if (assignment === undefined) return ['no assignment'];
    return list(assignment['endpoints']).flatMap((locality) =>
      list(locality['lbEndpoints']).map((endpoint) => {
        const socket = child(child(child(endpoint, 'endpoint'), 'address'), 'socketAddress');
        return `${String(socket['address'])}:${String(socket['portValue'])} ${String(endpoint['healthStatus'])}`;
      }),
    );
  }

  /** The same, each with its weight: `address:port HEALTHY 10`. */
  weightedEndpoints(name: string): readonly string[] {
    const localities = list(this.assignments().get(name)?.['endpoints']);
    const weights = localities.flatMap((locality) =>
      list(locality['lbEndpoints']).map((endpoint) => String(endpoint['loadBalancingWeight'])),
    );
    return this.endpoints(name).map((endpoint, at) => `${endpoint} ${weights[at]}`);
  }

  /** Every resource's version, to see what a change touched. */
  versions(): Readonly<Record<string, string>> {
    return Object.fromEntries(
      RESOURCE_TYPES.flatMap((typeUrl) =>
        [...this.client.resources(typeUrl).values()].map(
          ({ name, version }) => [`${short(typeUrl)} ${name}`, version] as const,
        ),
      ),
    );
  }

  stop(): void {
    this.client.stop();
  }

  #values(typeUrl: string): ReadonlyMap<string, Json> {
    return new Map([...this.client.resources(typeUrl)].map(([name, held]) => [name, held.value] as const));
  }

  #updated(typeUrl: string, changed: readonly HeldResource<Json>[], removed: readonly string[]): void {
    this.updates.push(
      [short(typeUrl), ...changed.map(({ name }) => `+${name}`), ...removed.map((name) => `-${name}`)].join(' '),
    );
    if (typeUrl === CLUSTER_TYPE) {
      const names = [...this.clusters()]
        .map(([name, json]) => assignmentOf(name, json))
        .filter((name) => name !== undefined);
      this.client.setSubscription(CLUSTER_LOAD_ASSIGNMENT_TYPE, names.length === 0 ? 'nothing' : new Set(names));
    }
    if (typeUrl === LISTENER_TYPE) {
      const names = new Set<string>();
      for (const json of this.listeners().values()) collectRouteNames(json, names);
      this.client.setSubscription(ROUTE_CONFIGURATION_TYPE, names.size === 0 ? 'nothing' : names);
    }
  }
}

function short(typeUrl: string): string {
  return typeUrl.slice(typeUrl.lastIndexOf('.') + 1);
}

function collectRouteNames(value: unknown, names: Set<string>): void {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    if (key === 'routeConfigName' && typeof inner === 'string') names.add(inner);
    else collectRouteNames(inner, names);
  }
}

function list(value: unknown): readonly Json[] {
  return Array.isArray(value) ? (value as readonly Json[]) : [];
}

function child(value: Json, key: string): Json {
  const inner = value[key];
  return typeof inner === 'object' && inner !== null ? (inner as Json) : {};
}
