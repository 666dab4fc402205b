/** The fields of a registration, as `PUT /v1/agent/service/register` takes them. */
import type { FieldShapes, Shape } from './shape.ts';

export const CHECK_FIELDS: FieldShapes = {
  ID: 'string',
  CheckID: 'string',
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
export const TRANSPARENT_PROXY: Shape = { fields: { OutboundListenerPort: 'integer', DialedDirectly: 'boolean' } };
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
    TransparentProxy: TRANSPARENT_PROXY,
    Config: 'any',
    Upstreams: { list: UPSTREAM },
    MeshGateway: MESH_GATEWAY,
    Expose: EXPOSE,
    AccessLogs: 'any',
    EnvoyExtensions: 'any',
  },
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
  Check: { fields: CHECK_FIELDS, aliases: { script_args: 'Args' } },
  Checks: { list: { fields: CHECK_FIELDS, aliases: { script_args: 'Args' } } },
  Proxy: PROXY,
  Locality: { fields: { Region: 'string', Zone: 'string' } },
  Token: 'string',
  Namespace: 'string',
  Partition: 'string',
};

export const SERVICE_SHAPE: Shape = {
  fields: {
    ...OWN_FIELDS,
    Connect: {
      fields: { Native: 'boolean', SidecarService: { fields: { ...OWN_FIELDS, Connect: 'any' } } },
    },
  },
};

export const CHECK_SHAPE: Shape = { fields: CHECK_FIELDS, aliases: { script_args: 'Args' } };
export const PROXY_SHAPE: Shape = PROXY;
