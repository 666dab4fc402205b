import { jsonName } from './json-name.ts';
import { isPlainObject } from './struct-json.ts';

/** A part of a bootstrap file that has no effect on a sidecar. */
export interface BootstrapNote {
  readonly field: string;
  /** `warn` where somebody may count on it. */
  readonly level: 'info' | 'warn';
  readonly why: string;
}

/** What concerns Envoy's process alone. */
const OF_ENVOYS_PROCESS = [
  'application_log_config',
  'bootstrap_extensions',
  'certificate_provider_instances',
  'cluster_manager',
  'config_sources',
  'default_config_source',
  'default_regex_engine',
  'default_socket_interface',
  'deferred_stat_options',
  'dns_resolution_config',
  'enable_dispatcher_stats',
  'fatal_actions',
  'flags_path',
  'grpc_async_client_manager_config',
  'inline_headers',
  'listener_manager',
  'memory_allocator_manager',
  'perf_tracing_file_path',
  'stats_config',
  'stats_flush_interval',
  'stats_flush_on_admin',
  'stats_server_version_override',
  'typed_dns_resolver_config',
  'use_tcp_for_dns_lookups',
  'watchdog',
  'watchdogs',
  'xds_config_tracker_extension',
  'xds_delegate_extension',
];

/** What somebody may count on, with where Weft has its own word for it. */
const COUNTED_ON: Readonly<Record<string, string>> = {
  hds_config: 'health is not reported to a health discovery service',
  header_prefix: 'headers of the proxy begin with x-envoy-',
  overload_manager: 'limits are those of listeners and clusters',
  runtime: 'runtime values are not read: the defaults in the resources count',
  stats_sinks: 'statistics are not pushed; they are at /stats/prometheus of the admin interface',
  tracing: 'spans go where the OTEL_* variables say',
};

const SKIPPED: ReadonlyMap<string, BootstrapNote> = new Map([
  ...OF_ENVOYS_PROCESS.flatMap((field) => entries({ field, level: 'info', why: "concerns Envoy's process alone" })),
  ...Object.entries(COUNTED_ON).flatMap(([field, why]) => entries({ field, level: 'warn', why })),
]);

function entries(note: BootstrapNote): [string, BootstrapNote][] {
  return [note.field, jsonName(note.field)].map((key) => [key, note]);
}

/** Runtime keys that tune Envoy's own code; others stand for values that resources may name. */
const OF_ENVOYS_CODE = /^(?:re2|envoy|overload|upstream|health_check)\./;

/** A bootstrap without what has no effect here, and what was left out. */
export function withoutSkipped(json: unknown): { readonly kept: unknown; readonly notes: readonly BootstrapNote[] } {
  if (!isPlainObject(json)) return { kept: json, notes: [] };
  const notes: BootstrapNote[] = [];
  const kept: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(json)) {
    const note = key === 'layered_runtime' || key === 'layeredRuntime' ? runtimeNote(value) : SKIPPED.get(key);
    if (note === undefined) kept[key] = value;
    else notes.push(note);
  }
  return { kept, notes };
}

/** Consul writes one layer with a limit of the regex engine; what changes how resources are read is worth a warning. */
function runtimeNote(value: unknown): BootstrapNote {
  const layers = isPlainObject(value) && Array.isArray(value['layers']) ? value['layers'] : [];
  const keys = layers.filter(isPlainObject).flatMap((layer) => {
    const values = layer['static_layer'] ?? layer['staticLayer'];
    return isPlainObject(values) ? Object.keys(values) : ['(a layer that is not static)'];
  });
  const named = keys.filter((key) => !OF_ENVOYS_CODE.test(key));
  return named.length === 0
    ? { field: 'layered_runtime', level: 'info', why: "tunes Envoy's own code" }
    : {
        field: 'layered_runtime',
        level: 'warn',
        why: `is not read, and the resources' defaults count for ${named.join(', ')}`,
      };
}
