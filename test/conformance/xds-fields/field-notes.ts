/**
 * Why a field has no effect, field by field: the fields that no decoder looks at, and those that are read but not obeyed.
 * A field that decoders begin to pass over, or to read, must come and go here, or the test of the page fails.
 */

/** Fields of one message that share a reason. */
type Reasons = Readonly<Record<string, readonly string[]>>;

const RUNTIME = 'runtime values are not read: the default counts';
const REPORTS = 'only counts or reports';
const TUNING = 'only tunes';
const NAME = 'a name for people';
const LITERAL = 'values are taken as they stand, as in Envoy unless it is told otherwise';
const ONE_REQUEST = 'there is one request to begin with, as in Envoy';
const NO_LOG_OPTIONS = 'records are written when a stream ends';

const ENVOY = 'envoy.config';
const HTTP_FILTER = 'envoy.extensions.filters.http';
const NETWORK_FILTER = 'envoy.extensions.filters.network';
const TLS = 'envoy.extensions.transport_sockets.tls.v3';
const BALANCING = 'envoy.extensions.load_balancing_policies';
const HTTP_OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

export const WITHOUT_EFFECT: Readonly<Record<string, Reasons>> = {
  [`${ENVOY}.accesslog.v3.AccessLog`]: { [NAME]: ['name'] },
  [`${ENVOY}.cluster.v3.CircuitBreakers.Thresholds`]: {
    [REPORTS]: ['track_remaining'],
    'one pool for each host and protocol': ['max_connection_pools'],
  },
  [`${ENVOY}.cluster.v3.Cluster`]: {
    'connections are HTTP/1.1 or HTTP/2 by HttpProtocolOptions': ['http_protocol_options'],
    'names are looked up as the system does, again after `dns_refresh_rate`': [
      'dns_failure_refresh_rate',
      'respect_dns_ttl',
      'dns_lookup_family',
      'typed_dns_resolver_config',
      'dns_resolvers',
      'use_tcp_for_dns_lookups',
      'dns_resolution_config',
    ],
    [TUNING]: [
      'wait_for_warm_on_init',
      'upstream_connection_options',
      'preconnect_policy',
      'connection_pool_per_downstream_connection',
    ],
    'a host that is gone is gone': ['ignore_health_on_host_removal'],
    [REPORTS]: ['lrs_report_endpoint_metrics', 'track_cluster_stats', 'track_timeout_budgets'],
  },
  [`${ENVOY}.cluster.v3.Cluster.CommonLbConfig`]: {
    'localities are weighted by the server, not by where the proxy is': ['zone_aware_lb_config'],
    'updates are applied as they come': ['update_merge_window'],
    [TUNING]: [
      'ignore_new_hosts_until_first_hc',
      'close_connections_on_host_set_change',
      'consistent_hashing_lb_config',
    ],
    'only healthy hosts are picked': ['override_host_status'],
  },
  [`${ENVOY}.cluster.v3.Cluster.CustomClusterType`]: { [NAME]: ['name'] },
  [`${ENVOY}.cluster.v3.Cluster.TransportSocketMatch`]: { [NAME]: ['name'] },
  [`${ENVOY}.cluster.v3.OutlierDetection`]: {
    'hosts are judged by consecutive failures alone': [
      'enforcing_success_rate',
      'success_rate_minimum_hosts',
      'success_rate_request_volume',
      'success_rate_stdev_factor',
      'failure_percentage_threshold',
      'enforcing_failure_percentage',
      'enforcing_failure_percentage_local_origin',
      'failure_percentage_minimum_hosts',
      'failure_percentage_request_volume',
      'monitors',
    ],
    'a failed connection counts as a failed request': [
      'split_external_local_origin_errors',
      'consecutive_local_origin_failure',
      'enforcing_consecutive_local_origin_failure',
      'enforcing_local_origin_success_rate',
    ],
    [TUNING]: ['max_ejection_time_jitter', 'successful_active_health_check_uneject_host', 'always_eject_one_host'],
  },
  [`${ENVOY}.core.v3.ConfigSource`]: {
    'there is one stream, in version 3, for everything': [
      'authorities',
      'api_config_source',
      'ads',
      'resource_api_version',
    ],
  },
  [`${ENVOY}.core.v3.DataSource`]: { 'a file is looked at itself': ['watched_directory'] },
  [`${ENVOY}.core.v3.HealthCheck`]: {
    'checks keep one pace, spread at random': [
      'initial_jitter',
      'interval_jitter',
      'interval_jitter_percent',
      'no_traffic_interval',
      'no_traffic_healthy_interval',
      'unhealthy_interval',
      'unhealthy_edge_interval',
      'healthy_edge_interval',
    ],
    [TUNING]: ['reuse_connection'],
    [REPORTS]: [
      'event_logger',
      'always_log_health_check_failures',
      'always_log_health_check_success',
      'event_log_path',
      'event_service',
    ],
  },
  [`${ENVOY}.core.v3.HealthCheck.GrpcHealthCheck`]: {
    'the authority is the address of the host': ['authority'],
    'checks carry no metadata': ['initial_metadata'],
  },
  [`${ENVOY}.core.v3.HealthCheck.HttpHealthCheck`]: {
    'bodies are not read': ['response_buffer_size'],
    'any other status is a failure': ['retriable_statuses'],
  },
  [`${ENVOY}.core.v3.Http1ProtocolOptions`]: {
    'both forms of a target are understood, and what is sent is in origin form': [
      'allow_absolute_url',
      'send_fully_qualified_url',
    ],
    'HTTP/1.0 without Host is refused': ['default_host_for_http_10'],
    'names keep the case they came in': ['header_key_format'],
    'the parser is our own, and strict': [
      'allow_chunked_length',
      'override_stream_error_on_invalid_http_message',
      'use_balsa_parser',
      'allow_custom_methods',
    ],
  },
  [`${ENVOY}.core.v3.Http2ProtocolOptions`]: {
    'METADATA frames are dropped': ['allow_metadata'],
    'the codec is our own, and strict': [
      'use_oghttp2_codec',
      'stream_error_on_invalid_http_messaging',
      'custom_settings_parameters',
    ],
  },
  [`${ENVOY}.core.v3.KeepaliveSettings`]: { [TUNING]: ['interval_jitter'] },
  [`${ENVOY}.core.v3.Metadata`]: { 'nothing reads it': ['typed_filter_metadata'] },
  [`${ENVOY}.core.v3.RuntimeDouble`]: { [RUNTIME]: ['runtime_key'] },
  [`${ENVOY}.core.v3.RuntimeFeatureFlag`]: { [RUNTIME]: ['runtime_key'] },
  [`${ENVOY}.core.v3.RuntimeFractionalPercent`]: { [RUNTIME]: ['runtime_key'] },
  [`${ENVOY}.core.v3.RuntimePercent`]: { [RUNTIME]: ['runtime_key'] },
  [`${ENVOY}.core.v3.RuntimeUInt32`]: { [RUNTIME]: ['runtime_key'] },
  [`${ENVOY}.core.v3.SubstitutionFormatString`]: {
    'a log line has no content type': ['content_type'],
    'keys are written in their order': ['json_format_options'],
  },
  [`${ENVOY}.core.v3.TransportSocket`]: { [NAME]: ['name'] },
  [`${ENVOY}.core.v3.TypedExtensionConfig`]: { [NAME]: ['name'] },
  [`${ENVOY}.endpoint.v3.ClusterLoadAssignment.Policy`]: {
    [TUNING]: ['weighted_priority_health'],
  },
  [`${ENVOY}.endpoint.v3.LocalityLbEndpoints`]: {
    'nothing reads it': ['metadata'],
    'localities are weighted by the server': ['proximity'],
  },
  [`${ENVOY}.listener.v3.FilterChain`]: {
    'for people who read the configuration': ['metadata'],
    'chains are there from the start': ['on_demand_configuration'],
  },
  [`${ENVOY}.listener.v3.Listener`]: {
    [NAME]: ['stat_prefix'],
    'the kernel spreads connections over workers, each with a socket of its own': [
      'enable_reuse_port',
      'reuse_port',
      'connection_balance_config',
      'max_connections_to_accept_per_socket_event',
    ],
    [TUNING]: ['freebind', 'socket_options', 'tcp_fast_open_queue_length', 'enable_mptcp'],
    'connections that no chain takes are counted, not logged': ['access_log'],
    'limits hold for every listener': ['ignore_global_conn_limit', 'bypass_overload_manager'],
  },
  [`${ENVOY}.listener.v3.ListenerFilter`]: { [NAME]: ['name'] },
  [`${ENVOY}.route.v3.HedgePolicy`]: { [ONE_REQUEST]: ['additional_request_chance'] },
  [`${ENVOY}.route.v3.RateLimit.Action.GenericKey`]: { [LITERAL]: ['default_value'] },
  [`${ENVOY}.route.v3.RateLimit.Action.HeaderValueMatch`]: { [LITERAL]: ['default_value'] },
  [`${ENVOY}.route.v3.RateLimit.Action.QueryParameterValueMatch`]: { [LITERAL]: ['default_value'] },
  [`${ENVOY}.route.v3.RetryPolicy`]: {
    'an attempt has `per_try_timeout`, and the route `idle_timeout`': ['per_try_idle_timeout'],
    'Retry-After is not read': ['rate_limited_retry_back_off'],
  },
  [`${ENVOY}.route.v3.RetryPolicy.RetryPriority`]: { [NAME]: ['name'] },
  [`${ENVOY}.route.v3.Route`]: {
    [REPORTS]: ['decorator', 'tracing', 'stat_prefix'],
    'buffers are bounded by the listener': ['per_request_buffer_limit_bytes'],
  },
  [`${ENVOY}.route.v3.RouteAction`]: {
    'the host that came is not told where it is replaced': ['append_x_forwarded_host'],
    'there is no early data': ['early_data_policy'],
    'redirects are passed on': ['max_internal_redirects'],
  },
  [`${ENVOY}.route.v3.RouteAction.HashPolicy.Cookie`]: { 'a cookie has path and age': ['attributes'] },
  [`${ENVOY}.route.v3.RouteAction.RequestMirrorPolicy`]: {
    [REPORTS]: ['trace_sampled'],
    [TUNING]: ['disable_shadow_host_suffix_append'],
  },
  [`${ENVOY}.route.v3.RouteConfiguration`]: {
    'a cluster may come after the route that names it': ['validate_clusters'],
    'for people who read the configuration': ['metadata'],
  },
  [`${ENVOY}.route.v3.VirtualHost`]: {
    [REPORTS]: [
      'virtual_clusters',
      'include_request_attempt_count',
      'include_attempt_count_in_response',
      'include_is_timeout_retry_header',
    ],
    'buffers are bounded by the listener': ['per_request_buffer_limit_bytes'],
    'for people who read the configuration': ['metadata'],
  },
  [`${ENVOY}.route.v3.WeightedCluster`]: {
    'weights add up to what they add up to': ['total_weight'],
    [RUNTIME]: ['runtime_key_prefix'],
  },
  [`${HTTP_FILTER}.cors.v3.CorsPolicy`]: { [REPORTS]: ['shadow_enabled'] },
  [`${HTTP_FILTER}.fault.v3.HTTPFault`]: {
    [RUNTIME]: [
      'delay_percent_runtime',
      'abort_percent_runtime',
      'delay_duration_runtime',
      'abort_http_status_runtime',
      'max_active_faults_runtime',
      'response_rate_limit_percent_runtime',
      'abort_grpc_status_runtime',
    ],
    [REPORTS]: ['disable_downstream_cluster_stats', 'filter_metadata'],
  },
  [`${ENVOY}.core.v3.GrpcService.EnvoyGrpc`]: {
    'answers of more than 1 MiB are failures': ['max_receive_message_length'],
    'no header of the kind is added': ['skip_envoy_headers'],
  },
  [`${HTTP_FILTER}.ext_authz.v3.ExtAuthz`]: {
    'what the service asks for is always validated': ['validate_mutations'],
    [REPORTS]: ['charge_cluster_response_stats'],
    'no filter reads dynamic metadata': ['enable_dynamic_metadata_ingestion'],
  },
  [`${HTTP_FILTER}.jwt_authn.v3.RemoteJwks`]: {
    'keys are fetched when they are first needed, and again for a later request': ['async_fetch', 'retry_policy'],
  },
  [`${HTTP_FILTER}.local_ratelimit.v3.LocalRateLimit`]: {
    'there are no descriptors': [
      'stage',
      'vh_rate_limits',
      'always_consume_default_token_bucket',
      'rate_limits',
      'max_dynamic_descriptors',
    ],
    [REPORTS]: ['enable_x_ratelimit_headers'],
  },
  [`${HTTP_FILTER}.grpc_stats.v3.FilterConfig`]: { [REPORTS]: ['emit_filter_state', 'enable_upstream_stats'] },
  [`${HTTP_FILTER}.rbac.v3.RBAC`]: {
    [REPORTS]: ['track_per_rule_stats'],
  },
  [`${HTTP_FILTER}.router.v3.Router`]: {
    [REPORTS]: [
      'dynamic_stats',
      'upstream_log',
      'upstream_log_options',
      'suppress_grpc_request_failure_code_stats',
      'start_child_span',
    ],
    'x-envoy- headers of requests are not obeyed': ['strict_check_headers', 'respect_expected_rq_timeout'],
  },
  'envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol': {
    'extra fields of the header are passed over': ['rules'],
    [NAME]: ['stat_prefix'],
  },
  [`${NETWORK_FILTER}.connection_limit.v3.ConnectionLimit`]: { [RUNTIME]: ['runtime_enabled'] },
  [`${NETWORK_FILTER}.local_ratelimit.v3.LocalRateLimit`]: { [RUNTIME]: ['runtime_enabled'] },
  [`${NETWORK_FILTER}.http_connection_manager.v3.HttpConnectionManager`]: {
    [REPORTS]: ['add_user_agent', 'proxy_status_config'],
    'HTTP/3 is not served': ['http3_protocol_options'],
    [NO_LOG_OPTIONS]: ['access_log_options', 'access_log_flush_interval', 'flush_access_log_on_new_request'],
    '100 Continue is answered by the application': ['proxy_100_continue'],
    'addresses are written as they are': ['represent_ipv4_remote_address_as_ipv4_mapped_ipv6'],
    'request ids are UUIDs': ['request_id_extension'],
    'no such header is added': ['append_x_forwarded_port', 'append_local_overload'],
    'nothing reads it': ['add_proxy_protocol_connection_state'],
  },
  [`${NETWORK_FILTER}.http_connection_manager.v3.HttpConnectionManager.Tracing`]: {
    [REPORTS]: ['verbose'],
    'where spans go is a setting of the process': ['provider'],
  },
  [`${NETWORK_FILTER}.http_connection_manager.v3.HttpFilter`]: {
    'a filter without `typed_config` is refused': ['config_discovery'],
  },
  [`${NETWORK_FILTER}.tcp_proxy.v3.TcpProxy`]: {
    '`idle_timeout` holds for both sides': ['downstream_idle_timeout', 'upstream_idle_timeout'],
    'records are written when a connection ends': [
      'access_log_options',
      'access_log_flush_interval',
      'flush_access_log_on_connected',
    ],
  },
  [`${BALANCING}.common.v3.LocalityLbConfig`]: {
    'localities are weighted by the server, not by where the proxy is': ['zone_aware_lb_config'],
  },
  [`${BALANCING}.maglev.v3.Maglev`]: { [TUNING]: ['consistent_hashing_lb_config'] },
  [`${BALANCING}.ring_hash.v3.RingHash`]: { [TUNING]: ['consistent_hashing_lb_config', 'hash_balance_factor'] },
  [`${TLS}.CertificateValidationContext`]: {
    'a file is looked at itself': ['watched_directory'],
    'revocation lists are refused': ['only_verify_leaf_cert_crl'],
  },
  [`${TLS}.CommonTlsContext`]: { 'keys are never logged': ['key_log'] },
  [`${TLS}.DownstreamTlsContext`]: {
    'sessions are never resumed': [
      'session_ticket_keys',
      'session_ticket_keys_sds_secret_config',
      'disable_stateless_session_resumption',
      'disable_stateful_session_resumption',
      'session_timeout',
    ],
    'OCSP responses are not stapled': ['ocsp_staple_policy'],
    'the chain chooses the certificate': ['full_scan_certs_on_sni_mismatch'],
  },
  [`${TLS}.TlsCertificate`]: {
    'a file is looked at itself': ['watched_directory'],
    'OCSP responses are not stapled': ['ocsp_staple', 'signed_certificate_timestamp'],
  },
  [`${TLS}.UpstreamTlsContext`]: {
    'sessions are never resumed': ['max_session_keys'],
    'OpenSSL decides': ['enforce_rsa_key_usage'],
  },
  [`${HTTP_OPTIONS}.AutoHttpConfig`]: {
    'HTTP/1.1 has no options towards hosts': ['http_protocol_options'],
    'HTTP/3 is not spoken': ['alternate_protocols_cache_options'],
  },
  [`${HTTP_OPTIONS}.ExplicitHttpConfig`]: { 'HTTP/1.1 has no options towards hosts': ['http_protocol_options'] },
  [`${HTTP_OPTIONS}.UseDownstreamHttpConfig`]: { 'HTTP/1.1 has no options towards hosts': ['http_protocol_options'] },
  'envoy.type.tracing.v3.CustomTag': {
    'spans carry no tags of configuration': ['environment', 'request_header', 'metadata'],
  },
  'envoy.type.matcher.v3.RegexMatcher': { 'patterns run in linear time, whatever their size': ['google_re2'] },
};

/** Fields that decoders read and nothing obeys. */
export const READ_WITHOUT_EFFECT: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  [`${ENVOY}.cluster.v3.Cluster`]: {
    alt_stat_name: 'statistics go by the name',
    close_connections_on_host_health_failure: 'streams on a failed host may end by themselves',
    metadata: 'for people who read the configuration',
  },
  [`${ENVOY}.endpoint.v3.LbEndpoint`]: { metadata: 'under `weft` it names the instance' },
  [`${ENVOY}.listener.v3.Listener`]: { metadata: 'for people who read the configuration' },
  [`${ENVOY}.route.v3.HedgePolicy`]: { initial_requests: ONE_REQUEST },
  [`${ENVOY}.route.v3.Route`]: {
    metadata: 'under `weft` it says which Consul entry made the route; `weft.grpc_limits` is obeyed',
  },
  [`${NETWORK_FILTER}.http_connection_manager.v3.HttpConnectionManager.Tracing`]: {
    client_sampling: 'a caller decides with traceparent',
    spawn_upstream_span: 'a proxied request has one span',
    custom_tags: 'spans carry no tags of configuration',
    max_path_tag_length: 'paths are kept whole',
  },
};

/** Fields of which a part is refused: what, and only then. */
export const PARTLY_REFUSED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  [`${ENVOY}.accesslog.v3.AccessLog`]: { typed_config: 'loggers other than file, stdout and stderr' },
  [`${ENVOY}.cluster.v3.Cluster`]: {
    eds_cluster_config: 'where the type is not EDS',
    load_assignment: 'with EDS and ORIGINAL_DST, and in an aggregate',
    lb_policy: 'LOAD_BALANCING_POLICY_CONFIG without the list, and with ORIGINAL_DST anything but CLUSTER_PROVIDED',
  },
  [`${ENVOY}.cluster.v3.Cluster.CustomClusterType`]: { typed_config: 'types other than envoy.clusters.aggregate' },
  [`${ENVOY}.cluster.v3.Cluster.RingHashLbConfig`]: { hash_function: 'MURMUR_HASH_2' },
  [`${HTTP_FILTER}.ext_authz.v3.ExtAuthz`]: {
    transport_api_version: 'other than V3',
    include_peer_certificate: 'with an HTTP service',
    include_tls_session: 'with an HTTP service',
  },
  [`${ENVOY}.ratelimit.v3.RateLimitServiceConfig`]: { transport_api_version: 'other than V3' },
  [`${ENVOY}.route.v3.RateLimit`]: {
    stage: "inside a filter's own configuration",
    disable_key: "inside a filter's own configuration; elsewhere nothing is disabled, as there is no runtime",
  },
  [`${ENVOY}.route.v3.RateLimit.Action`]: { dynamic_metadata: "inside a filter's own configuration" },
  [`${ENVOY}.route.v3.RouteMatch`]: { runtime_fraction: 'below 100 %, in rules of jwt_authn' },
  [`${ENVOY}.core.v3.DataSource`]: { filename: 'in access log formats and bodies of direct responses' },
  [`${ENVOY}.core.v3.SocketAddress`]: { protocol: 'UDP' },
  [`${ENVOY}.core.v3.TransportSocket`]: {
    typed_config: 'sockets other than TLS, raw_buffer and upstream PROXY protocol',
  },
  [`${ENVOY}.listener.v3.Listener`]: { transparent: 'true' },
  [`${ENVOY}.listener.v3.FilterChain`]: { use_proxy_proto: 'true' },
  [`${NETWORK_FILTER}.http_connection_manager.v3.HttpConnectionManager`]: { codec_type: 'HTTP3' },
  [`${BALANCING}.ring_hash.v3.RingHash`]: { hash_function: 'MURMUR_HASH_2' },
  [`${TLS}.DownstreamTlsContext`]: { require_sni: 'true' },
  [`${TLS}.SubjectAltNameMatcher`]: { san_type: 'OTHER_NAME' },
};
