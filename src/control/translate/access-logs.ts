import type { AccessLogFormat } from '../../resource/access-logger.ts';
import { compileAccessLogFormat } from '../../telemetry/access-log/access-log.ts';
import type { Json } from '../snapshot/resource-literal.ts';
import { type AccessLogs, originText, type ProxyRegistration } from './catalog.ts';
import type { ConfigEntries } from './config-entries.ts';
import { errorAt, type Problem } from './problem.ts';

/** `AccessLogs` of a registration, else of `proxy-defaults`, as the loggers of every connection manager, TCP proxy and listener. */
export interface AccessLoggers {
  /** One line per request, or per TCP connection. */
  readonly filterLogs: readonly Json[];
  /** One line per connection that no filter chain took. */
  readonly listenerLogs: readonly Json[];
}

export const NO_ACCESS_LOGS: AccessLoggers = { filterLogs: [], listenerLogs: [] };

/** Consul's JSON line, where nobody wrote a format. */
const CONSUL_FORMAT: Readonly<Record<string, string>> = {
  start_time: '%START_TIME%',
  route_name: '%ROUTE_NAME%',
  method: '%REQ(:METHOD)%',
  path: '%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%',
  protocol: '%PROTOCOL%',
  response_code: '%RESPONSE_CODE%',
  response_flags: '%RESPONSE_FLAGS%',
  response_code_details: '%RESPONSE_CODE_DETAILS%',
  connection_termination_details: '%CONNECTION_TERMINATION_DETAILS%',
  bytes_received: '%BYTES_RECEIVED%',
  bytes_sent: '%BYTES_SENT%',
  duration: '%DURATION%',
  upstream_service_time: '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%',
  x_forwarded_for: '%REQ(X-FORWARDED-FOR)%',
  user_agent: '%REQ(USER-AGENT)%',
  request_id: '%REQ(X-REQUEST-ID)%',
  authority: '%REQ(:AUTHORITY)%',
  upstream_host: '%UPSTREAM_HOST%',
  upstream_cluster: '%UPSTREAM_CLUSTER%',
  upstream_local_address: '%UPSTREAM_LOCAL_ADDRESS%',
  downstream_local_address: '%DOWNSTREAM_LOCAL_ADDRESS%',
  downstream_remote_address: '%DOWNSTREAM_REMOTE_ADDRESS%',
  requested_server_name: '%REQUESTED_SERVER_NAME%',
  upstream_transport_failure_reason: '%UPSTREAM_TRANSPORT_FAILURE_REASON%',
};

const LOGGER_TYPES = {
  stdout: 'envoy.extensions.access_loggers.stream.v3.StdoutAccessLog',
  stderr: 'envoy.extensions.access_loggers.stream.v3.StderrAccessLog',
  file: 'envoy.extensions.access_loggers.file.v3.FileAccessLog',
} as const;

/** A format that sidecars would refuse is told, and nothing is logged: a listener is worth more than its log. */
export function accessLoggers(
  { id, accessLogs }: ProxyRegistration,
  { proxyDefaults }: ConfigEntries,
): { readonly loggers: AccessLoggers; readonly problems: readonly Problem[] } {
  const logs = accessLogs ?? proxyDefaults?.accessLogs;
  if (logs === undefined) return { loggers: NO_ACCESS_LOGS, problems: [] };
  // Consul's agents copy the mesh's into each registration: their fault is the entry's.
  const isOwn = JSON.stringify(logs) !== JSON.stringify(proxyDefaults?.accessLogs);
  const where =
    isOwn || proxyDefaults === undefined
      ? `registration ${id}: proxy.access_logs`
      : `${originText(proxyDefaults.origin)}: AccessLogs`;
  const format = formatOf(logs);
  const compiled = compileAccessLogFormat(format);
  if (!compiled.ok) {
    const message = `no access logs are written: ${compiled.faults.join('; ')}`;
    return { loggers: NO_ACCESS_LOGS, problems: [errorAt(where, message)] };
  }
  const typedConfig = {
    '@type': `type.googleapis.com/${LOGGER_TYPES[logs.type]}`,
    ...(logs.type === 'file' ? { path: logs.path } : {}),
    logFormat:
      format.kind === 'json' ? { jsonFormat: format.json } : { textFormatSource: { inlineString: lineOf(logs) } },
  };
  const noRoute = { responseFlagFilter: { flags: ['NR'] } };
  return {
    loggers: {
      filterLogs: [{ name: 'envoy.access_loggers.requests', typedConfig }],
      listenerLogs: logs.onListeners
        ? [{ name: 'envoy.access_loggers.connections', filter: noRoute, typedConfig }]
        : [],
    },
    problems: [],
  };
}

function formatOf(logs: AccessLogs): AccessLogFormat {
  if (logs.text !== '') return { kind: 'text', text: lineOf(logs), omitEmptyValues: false };
  return { kind: 'json', json: logs.json ?? CONSUL_FORMAT, omitEmptyValues: false };
}

function lineOf({ text }: AccessLogs): string {
  return text.endsWith('\n') ? text : `${text}\n`;
}
