import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Json, ResourceLiteral } from '../../../../src/control/snapshot/snapshot.ts';
import {
  CLUSTER_LOAD_ASSIGNMENT_TYPE,
  CLUSTER_TYPE,
  LISTENER_TYPE,
  ROUTE_CONFIGURATION_TYPE,
} from '../../../../src/resource/type-url.ts';
import { requirePeer } from '../../support/peer.ts';
import { makeTempDirectory } from '../../support/temp-directory.ts';

/**
 * A proxy's resources as a bootstrap that needs no server: routes stand in their listeners and endpoints in their
 * clusters, and everything else is as it was sent.
 */
export function staticBootstrap(resources: readonly ResourceLiteral[]): Json {
  const of = (typeUrl: string): ReadonlyMap<string, Json> =>
    new Map(resources.filter((literal) => literal.typeUrl === typeUrl).map(({ name, json }) => [name, json]));
  const assignments = of(CLUSTER_LOAD_ASSIGNMENT_TYPE);
  const routes = of(ROUTE_CONFIGURATION_TYPE);
  return {
    node: { id: 'validated', cluster: 'validated' },
    staticResources: {
      listeners: [...of(LISTENER_TYPE).values()].map((listener) => withRoutes(listener, routes)),
      clusters: [...of(CLUSTER_TYPE).values()].map((cluster) => withEndpoints(cluster, assignments)),
    },
  };
}

/** What `rds` refers to takes its place. */
function withRoutes(value: Json, routes: ReadonlyMap<string, Json>): Json {
  const inlined = (item: unknown): unknown => {
    if (Array.isArray(item)) return item.map(inlined);
    return typeof item === 'object' && item !== null ? withRoutes(item as Json, routes) : item;
  };
  const { rds, ...others } = value;
  const rest = Object.fromEntries(Object.entries(others).map(([key, item]) => [key, inlined(item)]));
  if (rds === undefined) return rest;
  const { routeConfigName } = rds as { readonly routeConfigName: string };
  const routeConfig = routes.get(routeConfigName);
  if (routeConfig === undefined) throw new Error(`route configuration ${routeConfigName} is named and not there`);
  return { ...rest, routeConfig };
}

function withEndpoints(cluster: Json, assignments: ReadonlyMap<string, Json>): Json {
  if (cluster['type'] !== 'EDS') return cluster;
  const { edsClusterConfig, ...rest } = cluster;
  const { serviceName } = edsClusterConfig as { readonly serviceName?: string };
  const name = serviceName ?? String(cluster['name']);
  const loadAssignment = assignments.get(name);
  if (loadAssignment === undefined) throw new Error(`assignment ${name} is named and not there`);
  return { ...rest, type: 'STATIC', loadAssignment };
}

export interface Validation {
  readonly isValid: boolean;
  readonly output: string;
}

/** `envoy --mode validate`: parses and builds everything, and listens nowhere. */
export function validate(bootstrap: Json): Promise<Validation> {
  const directory = makeTempDirectory('envoy-validate');
  const path = join(directory.path, 'bootstrap.json');
  writeFileSync(path, JSON.stringify(bootstrap));
  const args = ['--mode', 'validate', '--config-path', path, '--log-level', 'info', '--disable-hot-restart'];
  return new Promise((resolve) => {
    execFile(requirePeer('envoy'), args, { timeout: 30_000 }, (error, stdout, stderr) => {
      directory.remove();
      resolve({ isValid: error === null, output: stdout + stderr });
    });
  });
}
