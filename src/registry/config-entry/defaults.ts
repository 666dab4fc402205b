/** `service-defaults` and `proxy-defaults`: protocol, limits and opaque proxy settings. */

import { multiErrorText } from '../api-error.ts';
import { textField } from '../input/fields.ts';
import { EXPOSE_SHAPE, MESH_GATEWAY, TRANSPARENT_PROXY } from '../input/service-shape.ts';
import { isJsonObject, type JsonObject, type Shape } from '../input/shape.ts';
import { COMMON_FIELDS, type ConfigEntryKind, objects } from './kind.ts';
import { mutualTlsModeFaults } from './mutual-tls-mode.ts';

const UPSTREAM_CONFIG: Shape = {
  fields: {
    Name: 'string',
    Namespace: 'string',
    Partition: 'string',
    Peer: 'string',
    EnvoyListenerJSON: 'string',
    EnvoyClusterJSON: 'string',
    Protocol: 'string',
    ConnectTimeoutMs: 'integer',
    Limits: {
      fields: { MaxConnections: 'integer', MaxPendingRequests: 'integer', MaxConcurrentRequests: 'integer' },
    },
    PassiveHealthCheck: {
      fields: {
        Interval: 'nanoseconds',
        MaxFailures: 'integer',
        EnforcingConsecutive5xx: 'integer',
        MaxEjectionPercent: 'integer',
        BaseEjectionTime: 'nanoseconds',
      },
    },
    MeshGateway: MESH_GATEWAY,
    BalanceOutboundConnections: 'string',
  },
};

const ALWAYS_SHOWN: JsonObject = { TransparentProxy: {}, MeshGateway: {}, Expose: {} };

const PROTOCOLS = new Set(['', 'tcp', 'http', 'http2', 'grpc']);

export const SERVICE_DEFAULTS: ConfigEntryKind = {
  kind: 'service-defaults',
  saysAllFaults: true,
  shape: {
    camelOnly: ['MaxRequestHeadersKB'],
    fields: {
      ...COMMON_FIELDS,
      Protocol: 'string',
      Mode: 'string',
      TransparentProxy: TRANSPARENT_PROXY,
      MutualTLSMode: 'string',
      MeshGateway: MESH_GATEWAY,
      Expose: EXPOSE_SHAPE,
      ExternalSNI: 'string',
      UpstreamConfig: { fields: { Overrides: { list: UPSTREAM_CONFIG }, Defaults: UPSTREAM_CONFIG } },
      Destination: { fields: { Addresses: { list: 'string' }, Port: 'integer' } },
      MaxInboundConnections: 'integer',
      LocalConnectTimeoutMs: 'integer',
      LocalRequestTimeoutMs: 'integer',
      BalanceInboundConnections: 'string',
      MaxRequestHeadersKB: 'integer',
      RateLimits: {
        fields: {
          InstanceLevel: {
            fields: {
              RequestsPerSecond: 'integer',
              RequestsMaxBurst: 'integer',
              Routes: {
                list: {
                  fields: {
                    PathExact: 'string',
                    PathPrefix: 'string',
                    PathRegex: 'string',
                    RequestsPerSecond: 'integer',
                    RequestsMaxBurst: 'integer',
                  },
                },
              },
            },
          },
        },
      },
      EnvoyExtensions: 'any',
    },
  },
  defaults: { Protocol: '', ...ALWAYS_SHOWN },
  normalize: (entry) => {
    const protocol = entry['Protocol'];
    return typeof protocol === 'string' ? { ...entry, Protocol: protocol.toLowerCase() } : entry;
  },
  validate: (entry, name) => {
    const faults: string[] = [];
    if (name === '*') faults.push('service-defaults name must be the name of a service, and not a wildcard');
    const protocol = textField(entry, 'Protocol');
    if (!PROTOCOLS.has(protocol)) faults.push(`invalid value for protocol: ${protocol}`);
    faults.push(
      ...modeFaults(entry),
      ...mutualTlsModeFaults(entry),
      ...balanceFaults(entry['BalanceInboundConnections'], 'balance_inbound_connections'),
    );
    const upstreams = entry['UpstreamConfig'];
    const destination = entry['Destination'];
    if (isJsonObject(upstreams) && isJsonObject(destination)) {
      faults.push('UpstreamConfig and Destination are mutually exclusive for service defaults');
    }
    if (isJsonObject(upstreams)) faults.push(...upstreamFaults(upstreams));
    if (isJsonObject(destination)) faults.push(...destinationFaults(destination));
    return faults;
  },
};

export const PROXY_DEFAULTS: ConfigEntryKind = {
  kind: 'proxy-defaults',
  onlyName: 'global',
  shape: {
    fields: {
      ...COMMON_FIELDS,
      Config: 'any',
      Mode: 'string',
      TransparentProxy: TRANSPARENT_PROXY,
      MutualTLSMode: 'string',
      MeshGateway: MESH_GATEWAY,
      Expose: EXPOSE_SHAPE,
      AccessLogs: {
        fields: {
          Enabled: 'boolean',
          DisableListenerLogs: 'boolean',
          Type: 'string',
          Path: 'string',
          JSONFormat: 'string',
          TextFormat: 'string',
        },
      },
      EnvoyExtensions: 'any',
      FailoverPolicy: { fields: { Mode: 'string', Regions: { list: 'string' } } },
      PrioritizeByLocality: { fields: { Mode: 'string' } },
    },
  },
  defaults: { ...ALWAYS_SHOWN, AccessLogs: {} },
  validate: (entry) => {
    const faults = [...modeFaults(entry), ...mutualTlsModeFaults(entry)];
    const config = entry['Config'];
    if (config !== undefined && config !== null && !isJsonObject(config)) faults.push('Config must be an object');
    const logs = entry['AccessLogs'];
    if (isJsonObject(logs)) {
      const type = logs['Type'];
      if (typeof type === 'string' && !['', 'stdout', 'stderr', 'file'].includes(type)) {
        faults.push(`invalid access log type: ${type}`);
      }
      if (type === 'file' && textField(logs, 'Path') === '')
        faults.push('path must be specified when using file type access logs');
      if (textField(logs, 'JSONFormat') !== '' && textField(logs, 'TextFormat') !== '') {
        faults.push('cannot specify both access log JSONFormat and TextFormat');
      }
    }
    return [...faults, ...failoverPolicyFaults(entry)];
  },
};

function failoverPolicyFaults(entry: JsonObject): string[] {
  const policy = entry['FailoverPolicy'];
  const mode = isJsonObject(policy) ? textField(policy, 'Mode') : '';
  const locality = entry['PrioritizeByLocality'];
  const isLocal = isJsonObject(locality) && textField(locality, 'Mode') !== '';
  return [
    ...(['', 'sequential', 'order-by-locality'].includes(mode)
      ? []
      : [`Failover-policy mode must be one of '', 'sequential', or 'order-by-locality'`]),
    ...(isLocal ? ['Prioritize-by-locality requires Consul Enterprise '] : []),
  ];
}

function modeFaults(entry: JsonObject): string[] {
  const faults: string[] = [];
  const mode = entry['Mode'];
  if (typeof mode === 'string' && !['', 'direct', 'transparent'].includes(mode)) {
    faults.push(`Invalid proxy mode: ${JSON.stringify(mode)}`);
  }
  const gateway = entry['MeshGateway'];
  const gatewayMode = isJsonObject(gateway) ? textField(gateway, 'Mode') : '';
  if (!['', 'none', 'local', 'remote'].includes(gatewayMode)) {
    faults.push(`Invalid Mesh Gateway Mode: ${JSON.stringify(gatewayMode)}`);
  }
  return faults;
}

function balanceFaults(value: unknown, field: string): string[] {
  return value === undefined || value === '' || value === 'exact_balance'
    ? []
    : [`invalid value for ${field}: ${typeof value === 'string' ? value : JSON.stringify(value)}`];
}

function upstreamFaults(upstreams: JsonObject): string[] {
  const faults: string[] = [];
  for (const override of objects(upstreams['Overrides'])) {
    const name = textField(override, 'Name');
    const prefix = `error in upstream override for ${name}:`;
    if (name === '') faults.push(`${prefix}: Name is required`);
    if (name === '*') faults.push(`${prefix}: Wildcard name is not supported`);
    const limits = limitFaults(override);
    if (limits.length > 0) faults.push(`${prefix}: ${multiErrorText(limits)}`);
  }
  const defaults = upstreams['Defaults'];
  if (isJsonObject(defaults)) {
    if (textField(defaults, 'Name') !== '') faults.push('error in upstream defaults: Name must be empty');
    const limits = limitFaults(defaults);
    if (limits.length > 0) faults.push(`error in upstream defaults: ${multiErrorText(limits)}`);
  }
  return faults;
}

function limitFaults(upstream: JsonObject): string[] {
  const faults = balanceFaults(upstream['BalanceOutboundConnections'], 'balance_outbound_connections');
  const limits = upstream['Limits'];
  const negative = (field: string): boolean => isJsonObject(limits) && Number(limits[field] ?? 0) < 0;
  if (negative('MaxConnections')) faults.push('max connections cannot be negative');
  else if (negative('MaxPendingRequests')) faults.push('max pending requests cannot be negative');
  else if (negative('MaxConcurrentRequests')) faults.push('max concurrent requests cannot be negative');
  const passive = upstream['PassiveHealthCheck'];
  if (isJsonObject(passive) && Number(passive['Interval'] ?? 0) < 0) {
    faults.push('passive health check interval cannot be negative');
  }
  return faults;
}

function destinationFaults(destination: JsonObject): string[] {
  const faults: string[] = [];
  const addresses = destination['Addresses'];
  if (!Array.isArray(addresses) || addresses.length === 0) {
    faults.push('Destination must contain at least one valid address');
  } else {
    const seen = new Set<unknown>();
    for (const address of addresses) {
      if (seen.has(address)) faults.push(`Duplicate address '${String(address)}' is not allowed`);
      seen.add(address);
    }
  }
  const port = Number(destination['Port'] ?? 0);
  if (port < 1 || port > 65535) faults.push(`Invalid Port number ${port}`);
  return faults;
}
