/**
 * What a series is about. A scope and a metric name give Envoy's dotted name (`cluster.web.upstream_rq_total`) and
 * Prometheus' family and labels (`envoy_cluster_upstream_rq_total{envoy_cluster_name="web"}`).
 */
export type MetricScope =
  | { readonly kind: 'cluster'; readonly name: string }
  /** `name` is the HTTP connection manager's stat prefix. */
  | { readonly kind: 'http'; readonly name: string }
  /** `name` is the TCP proxy's stat prefix. */
  | { readonly kind: 'tcp'; readonly name: string }
  /** `name` is the listener's address as text, e.g. `127.0.0.1:8080`. */
  | { readonly kind: 'listener'; readonly name: string }
  /** Network filters by their own stat prefix. */
  | { readonly kind: 'networkRbac'; readonly name: string }
  | { readonly kind: 'connectionLimit'; readonly name: string }
  | { readonly kind: 'networkRateLimit'; readonly name: string }
  /** The HTTP local rate limit by its own stat prefix. */
  | { readonly kind: 'httpRateLimit'; readonly name: string }
  | { readonly kind: 'server' }
  | { readonly kind: 'listenerManager' }
  | { readonly kind: 'clusterManager' }
  /** The sidecar's stream to its control server; Envoy's `control_plane`. */
  | { readonly kind: 'xds' }
  | { readonly kind: 'tracing' }
  | { readonly kind: 'accessLog' }
  /** What Envoy has no word for. */
  | { readonly kind: 'weft' };

/** One label of the Prometheus exposition. */
export type Label = readonly [name: string, value: string];

interface ScopeForm {
  readonly prefix: string;
  readonly label: string | undefined;
}

const FORMS: { readonly [kind in MetricScope['kind']]: ScopeForm } = {
  cluster: { prefix: 'cluster', label: 'envoy_cluster_name' },
  http: { prefix: 'http', label: 'envoy_http_conn_manager_prefix' },
  tcp: { prefix: 'tcp', label: 'envoy_tcp_prefix' },
  listener: { prefix: 'listener', label: 'envoy_listener_address' },
  networkRbac: { prefix: '', label: 'envoy_rbac_prefix' },
  connectionLimit: { prefix: 'connection_limit', label: 'envoy_connection_limit_prefix' },
  networkRateLimit: { prefix: 'local_rate_limit', label: 'envoy_local_ratelimit_prefix' },
  httpRateLimit: { prefix: '', label: 'envoy_local_http_ratelimit_prefix' },
  server: { prefix: 'server', label: undefined },
  listenerManager: { prefix: 'listener_manager', label: undefined },
  clusterManager: { prefix: 'cluster_manager', label: undefined },
  xds: { prefix: 'control_plane', label: undefined },
  tracing: { prefix: 'tracing.opentelemetry', label: undefined },
  accessLog: { prefix: 'access_logs', label: undefined },
  weft: { prefix: 'weft', label: undefined },
};

/** The dotted name of a series, as Envoy's `/stats` prints it; `:` in a scope's name becomes `_`, as Envoy does. */
export function statName(scope: MetricScope, metric: string): string {
  const { prefix } = FORMS[scope.kind];
  const name = scopeName(scope);
  return [prefix, name?.replaceAll(':', '_') ?? '', metric]
    .filter((part, index) => part !== '' || index === 2)
    .join('.');
}

/** Family name and labels of a series in the Prometheus exposition, before escaping. */
export function prometheusName(scope: MetricScope, metric: string): { family: string; labels: readonly Label[] } {
  const { prefix, label } = FORMS[scope.kind];
  const labels: Label[] = [];
  const family = `envoy_${prefix === '' ? '' : `${prefix}_`}${withoutResponseCode(metric, labels)}`.replaceAll(
    /[^a-zA-Z0-9_:]/g,
    '_',
  );
  const name = scopeName(scope);
  if (label !== undefined && name !== undefined) {
    labels.push([label, scope.kind === 'listener' ? name.replaceAll(':', '_') : name]);
  }
  return { family, labels };
}

function scopeName(scope: MetricScope): string | undefined {
  return 'name' in scope ? scope.name : undefined;
}

/** Envoy lifts `_2xx` and `_200` out of the name, so that one query reaches all codes. */
function withoutResponseCode(metric: string, labels: Label[]): string {
  const match = /^(.+_rq)_(?:([1-5])xx|([1-5]\d\d))$/.exec(metric);
  if (match === null) return metric;
  const [, stem = metric, responseClass, code] = match;
  if (responseClass !== undefined) {
    labels.push(['envoy_response_code_class', responseClass]);
    return `${stem}_xx`;
  }
  labels.push(['envoy_response_code', code ?? '']);
  return stem;
}
