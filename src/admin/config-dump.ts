import { compileStatFilter } from '../telemetry/metrics/metrics.ts';
import type { ConfigDump, DumpedResource } from './admin-views.ts';
import { type Answer, badRequest, jsonAnswer, timestamp } from './answer.ts';
import { redacted } from './redact.ts';

const TYPE_PREFIX = 'type.googleapis.com/envoy.admin.v3.';

interface Section {
  readonly '@type': string;
  readonly [field: string]: unknown;
}

/** `/config_dump`, with Envoy's `resource`, `name_regex` and `include_eds`. */
export function configDumpAnswer(dump: ConfigDump, query: URLSearchParams): Answer {
  if (query.has('mask')) return badRequest('mask is not supported; use resource=dynamic_listeners and name_regex=...');
  const selected = selectedDump(dump, query.get('name_regex') ?? '');
  if (!selected.ok) return badRequest(selected.message);
  const resource = query.get('resource');
  const sections = configSections(selected.dump, query.has('include_eds') || resource?.includes('endpoint') === true);
  if (resource === null) return jsonAnswer({ configs: redacted(sections) });
  const found = sections.flatMap((section) => listedResources(section, resource));
  if (found.length > 0 || KNOWN_FIELDS.has(resource)) return jsonAnswer({ configs: redacted(found) });
  return badRequest(`no such resource list: ${resource}; one of ${[...KNOWN_FIELDS].join(', ')}`);
}

const KNOWN_FIELDS = new Set([
  'static_clusters',
  'dynamic_active_clusters',
  'dynamic_warming_clusters',
  'static_listeners',
  'dynamic_listeners',
  'static_route_configs',
  'dynamic_route_configs',
  'dynamic_endpoint_configs',
  'dynamic_active_secrets',
]);

function listedResources(section: Section, field: string): readonly unknown[] {
  const list = section[field];
  return KNOWN_FIELDS.has(field) && Array.isArray(list) ? list : [];
}

function selectedDump(
  dump: ConfigDump,
  nameRegex: string,
): { readonly ok: true; readonly dump: ConfigDump } | { readonly ok: false; readonly message: string } {
  if (nameRegex === '') return { ok: true, dump };
  const filter = compileStatFilter(nameRegex);
  if (!filter.ok) return { ok: false, message: `name_regex: ${filter.message}` };
  const select = (list: readonly DumpedResource[]) => list.filter(({ name }) => filter.matches(name));
  const selected: ConfigDump = {
    ...dump,
    clusters: select(dump.clusters),
    listeners: select(dump.listeners),
    routes: select(dump.routes),
    endpoints: select(dump.endpoints),
    secrets: select(dump.secrets),
  };
  return { ok: true, dump: selected };
}

function configSections(dump: ConfigDump, withEndpoints: boolean): readonly Section[] {
  const sections: Section[] = [
    { '@type': `${TYPE_PREFIX}BootstrapConfigDump`, bootstrap: dump.bootstrap },
    {
      '@type': `${TYPE_PREFIX}ClustersConfigDump`,
      version_info: dump.versions.clusters,
      static_clusters: listed(dump.clusters, 'static', 'cluster'),
      dynamic_active_clusters: listed(dump.clusters, 'dynamic', 'cluster', 'active'),
      dynamic_warming_clusters: listed(dump.clusters, 'dynamic', 'cluster', 'warming'),
    },
    {
      '@type': `${TYPE_PREFIX}ListenersConfigDump`,
      version_info: dump.versions.listeners,
      static_listeners: listed(dump.listeners, 'static', 'listener'),
      dynamic_listeners: dynamicListeners(dump.listeners),
    },
    {
      '@type': `${TYPE_PREFIX}RoutesConfigDump`,
      static_route_configs: listed(dump.routes, 'static', 'route_config'),
      dynamic_route_configs: listed(dump.routes, 'dynamic', 'route_config'),
    },
    {
      '@type': `${TYPE_PREFIX}SecretsConfigDump`,
      dynamic_active_secrets: dump.secrets.map((secret) => ({ name: secret.name, ...entry(secret, 'secret') })),
    },
  ];
  if (withEndpoints) {
    sections.push({
      '@type': `${TYPE_PREFIX}EndpointsConfigDump`,
      dynamic_endpoint_configs: listed(dump.endpoints, 'dynamic', 'endpoint_config'),
    });
  }
  return sections;
}

function listed(
  resources: readonly DumpedResource[],
  source: DumpedResource['source'],
  field: string,
  state?: DumpedResource['state'],
): readonly unknown[] {
  return resources
    .filter((resource) => resource.source === source && (state === undefined || resource.state === state))
    .map((resource) => entry(resource, field));
}

function entry(resource: DumpedResource, field: string): Record<string, unknown> {
  return {
    ...(resource.source === 'static' ? {} : { version_info: resource.versionInfo }),
    [field]: resource.resource,
    last_updated: timestamp(resource.lastUpdatedMs),
    ...(resource.refused === undefined ? {} : { error_state: errorState(resource) }),
  };
}

/** One entry per name, with the states that a listener of that name is in. */
function dynamicListeners(listeners: readonly DumpedResource[]): readonly unknown[] {
  const byName = new Map<string, Record<string, unknown>>();
  for (const listener of listeners) {
    if (listener.source === 'static') continue;
    const states = byName.get(listener.name) ?? { name: listener.name };
    byName.set(listener.name, states);
    const { error_state: error, ...state } = entry(listener, 'listener');
    states[`${listener.state}_state`] = state;
    if (error !== undefined) states['error_state'] = error;
  }
  return [...byName.values()];
}

function errorState({ refused }: DumpedResource): unknown {
  if (refused === undefined) return undefined;
  return {
    last_update_attempt: timestamp(refused.lastAttemptMs),
    details: refused.details,
    version_info: refused.versionInfo,
  };
}
