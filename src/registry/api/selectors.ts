/** What a `?filter=` may ask about at each endpoint. */
import type { SelectorTree } from '../filter/filter.ts';

const WEIGHTS: SelectorTree = { fields: { Passing: 'number', Warning: 'number' } };
const ADDRESSES = { each: { fields: { Address: 'string', Port: 'number' } } } as const;
const CONNECT: SelectorTree = { fields: { Native: 'boolean' } };
const MESH_GATEWAY: SelectorTree = { fields: { Mode: 'string' } };

const PROXY: SelectorTree = {
  fields: {
    DestinationServiceName: 'string',
    DestinationServiceID: 'string',
    LocalServiceAddress: 'string',
    LocalServicePort: 'number',
    LocalServiceSocketPath: 'string',
    Mode: 'string',
    MeshGateway: MESH_GATEWAY,
    TransparentProxy: { fields: { OutboundListenerPort: 'number', DialedDirectly: 'boolean' } },
    Upstreams: {
      fields: {
        DestinationType: 'string',
        DestinationNamespace: 'string',
        DestinationPartition: 'string',
        DestinationPeer: 'string',
        DestinationName: 'string',
        Datacenter: 'string',
        LocalBindAddress: 'string',
        LocalBindPort: 'number',
        LocalBindSocketPath: 'string',
        LocalBindSocketMode: 'string',
        MeshGateway: MESH_GATEWAY,
      },
    },
  },
};

export const NODE_SELECTORS: SelectorTree = {
  fields: {
    ID: 'string',
    Node: 'string',
    Address: 'string',
    Datacenter: 'string',
    TaggedAddresses: 'map',
    Meta: 'map',
  },
};

/** A registered service, at the agent and on its node. */
export const SERVICE_SELECTORS: SelectorTree = {
  fields: {
    Kind: 'string',
    ID: 'string',
    Service: 'string',
    Tags: 'list',
    Address: 'string',
    SocketPath: 'string',
    TaggedAddresses: ADDRESSES,
    Meta: 'map',
    Port: 'number',
    Weights: WEIGHTS,
    EnableTagOverride: 'boolean',
    Proxy: PROXY,
    Connect: CONNECT,
    PeerName: 'string',
  },
};

export const CHECK_SELECTORS: SelectorTree = {
  fields: {
    Node: 'string',
    CheckID: 'string',
    Name: 'string',
    Status: 'string',
    Notes: 'string',
    Output: 'string',
    ServiceID: 'string',
    ServiceName: 'string',
    ServiceTags: 'list',
    Type: 'string',
    Interval: 'string',
    Timeout: 'string',
    ExposedPort: 'number',
  },
};

/** An instance with its node and checks: `/v1/health/service`, `/v1/health/connect` and the subsets of a service-resolver. */
export const INSTANCE_SELECTORS: SelectorTree = {
  fields: { Node: NODE_SELECTORS, Service: SERVICE_SELECTORS, Checks: CHECK_SELECTORS },
};

/** A row of `/v1/catalog/service`. */
export const SERVICE_NODE_SELECTORS: SelectorTree = {
  fields: {
    ID: 'string',
    Node: 'string',
    Address: 'string',
    Datacenter: 'string',
    TaggedAddresses: 'map',
    NodeMeta: 'map',
    ServiceKind: 'string',
    ServiceID: 'string',
    ServiceName: 'string',
    ServiceTags: 'list',
    ServiceAddress: 'string',
    ServiceTaggedAddresses: ADDRESSES,
    ServiceWeights: WEIGHTS,
    ServiceMeta: 'map',
    ServicePort: 'number',
    ServiceSocketPath: 'string',
    ServiceEnableTagOverride: 'boolean',
    ServiceProxy: PROXY,
    ServiceConnect: CONNECT,
  },
};
