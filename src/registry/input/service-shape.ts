/**
 * The fields of a registration, as `PUT /v1/agent/service/register` takes them. Consul knows most of them in CamelCase and in
 * snake_case, some in CamelCase alone, and refuses what it does not know.
 */
import type { FieldShapes, Shape } from './shape.ts';

const CHECK_FIELDS: FieldShapes = {
  Name: 'string',
  Notes: 'string',
  ServiceID: 'string',
  Status: 'string',
  Args: { list: 'string' },
  HTTP: 'string',
  Header: { map: { list: 'string' } },
  Method: 'string',
  Body: 'string',
  DisableRedirects: 'boolean',
  TCP: 'string',
  TCPUseTLS: 'boolean',
  UDP: 'string',
  GRPC: 'string',
  GRPCUseTLS: 'boolean',
  OSService: 'string',
  H2PING: 'string',
  DockerContainerID: 'string',
  Shell: 'string',
  TLSServerName: 'string',
  TLSSkipVerify: 'boolean',
  Interval: 'duration',
  Timeout: 'duration',
  TTL: 'duration',
  AliasNode: 'string',
  AliasService: 'string',
  SuccessBeforePassing: 'integer',
  FailuresBeforeWarning: 'integer',
  FailuresBeforeCritical: 'integer',
  DeregisterCriticalServiceAfter: 'duration',
  OutputMaxSize: 'integer',
};

const CHECK_CAMEL_ONLY = [
  ...['OSService', 'H2PING', 'AliasNode', 'AliasService', 'SuccessBeforePassing', 'FailuresBeforeWarning'],
  ...['FailuresBeforeCritical', 'OutputMaxSize'],
];
const CHECK_ALIASES = { script_args: 'Args' };

/** A check inside a service's registration names itself `CheckID`. */
const SERVICE_CHECK: Shape = {
  fields: { CheckID: 'string', ...CHECK_FIELDS },
  aliases: CHECK_ALIASES,
  camelOnly: [...CHECK_CAMEL_ONLY, 'CheckID', 'DisableRedirects'],
};

/** A check registered on its own names itself `ID`. */
export const CHECK_SHAPE: Shape = {
  fields: { ID: 'string', ...CHECK_FIELDS },
  aliases: CHECK_ALIASES,
  camelOnly: CHECK_CAMEL_ONLY,
};

const EXPOSE: Shape = {
  fields: {
    Checks: 'boolean',
    Paths: {
      list: {
        fields: {
          ListenerPort: 'integer',
          Path: 'string',
          LocalPathPort: 'integer',
          Protocol: 'string',
          ParsedFromCheck: 'boolean',
        },
      },
    },
  },
};

export const MESH_GATEWAY: Shape = { fields: { Mode: 'string' } };
export const TRANSPARENT_PROXY = { fields: { OutboundListenerPort: 'integer', DialedDirectly: 'boolean' } } as const;
export const EXPOSE_SHAPE = EXPOSE;

const UPSTREAM: Shape = {
  fields: {
    DestinationType: 'string',
    DestinationNamespace: 'string',
    DestinationPartition: 'string',
    DestinationPeer: 'string',
    DestinationName: 'string',
    Datacenter: 'string',
    LocalBindAddress: 'string',
    LocalBindPort: 'integer',
    LocalBindSocketPath: 'string',
    LocalBindSocketMode: 'string',
    Config: 'any',
    MeshGateway: MESH_GATEWAY,
  },
};

const PROXY: Shape = {
  fields: {
    DestinationServiceName: 'string',
    DestinationServiceID: 'string',
    LocalServiceAddress: 'string',
    LocalServicePort: 'integer',
    LocalServiceSocketPath: 'string',
    Mode: 'string',
    TransparentProxy: { ...TRANSPARENT_PROXY, camelOnly: ['OutboundListenerPort', 'DialedDirectly'] },
    Config: 'any',
    Upstreams: { list: UPSTREAM },
    MeshGateway: MESH_GATEWAY,
    Expose: EXPOSE,
    AccessLogs: 'any',
    EnvoyExtensions: 'any',
  },
  camelOnly: ['EnvoyExtensions'],
};

const OWN_FIELDS: FieldShapes = {
  Kind: 'string',
  ID: 'string',
  Name: 'string',
  Tags: { list: 'string' },
  Address: 'string',
  TaggedAddresses: { map: { fields: { Address: 'string', Port: 'integer' } } },
  Meta: { map: 'string' },
  Port: 'integer',
  SocketPath: 'string',
  Weights: { fields: { Passing: 'integer', Warning: 'integer' } },
  EnableTagOverride: 'boolean',
  Check: SERVICE_CHECK,
  Checks: { list: SERVICE_CHECK },
  Proxy: PROXY,
  Locality: { fields: { Region: 'string', Zone: 'string' } },
  Token: 'string',
};
const OWN_CAMEL_ONLY = ['SocketPath'];

export const SERVICE_SHAPE: Shape = {
  camelOnly: OWN_CAMEL_ONLY,
  fields: {
    ...OWN_FIELDS,
    Connect: {
      fields: {
        Native: 'boolean',
        SidecarService: { fields: { ...OWN_FIELDS, Connect: 'any' }, camelOnly: OWN_CAMEL_ONLY },
      },
    },
  },
};
