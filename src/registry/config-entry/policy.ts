/** `service-intentions`, `mesh`, `jwt-provider`, `exported-services`, `sameness-group`, `control-plane-request-limit`. */
import { textField } from '../input/fields.ts';
import { isJsonObject, type JsonObject, type Shape } from '../input/shape.ts';
import { COMMON_FIELDS, type ConfigEntryKind, objects } from './kind.ts';

const JWT_REQUIREMENT: Shape = {
  fields: {
    Providers: {
      list: {
        fields: { Name: 'string', VerifyClaims: { list: { fields: { Path: { list: 'string' }, Value: 'string' } } } },
      },
    },
  },
};

export const SERVICE_INTENTIONS: ConfigEntryKind = {
  kind: 'service-intentions',
  shape: {
    fields: {
      ...COMMON_FIELDS,
      Sources: {
        list: {
          fields: {
            Name: 'string',
            Namespace: 'string',
            Partition: 'string',
            Peer: 'string',
            SamenessGroup: 'string',
            Action: 'string',
            Precedence: 'integer',
            Type: 'string',
            Description: 'string',
            LegacyID: 'string',
            LegacyMeta: 'any',
            LegacyCreateTime: 'any',
            LegacyUpdateTime: 'any',
            Permissions: {
              list: {
                fields: {
                  Action: 'string',
                  HTTP: {
                    fields: {
                      PathExact: 'string',
                      PathPrefix: 'string',
                      PathRegex: 'string',
                      Methods: { list: 'string' },
                      Header: {
                        list: {
                          fields: {
                            Name: 'string',
                            Present: 'boolean',
                            Exact: 'string',
                            Prefix: 'string',
                            Suffix: 'string',
                            Contains: 'string',
                            Regex: 'string',
                            IgnoreCase: 'boolean',
                            Invert: 'boolean',
                          },
                        },
                      },
                    },
                  },
                  JWT: JWT_REQUIREMENT,
                },
              },
            },
          },
        },
      },
      JWT: JWT_REQUIREMENT,
    },
  },
  defaults: { Sources: [] },
  normalize: (entry) => {
    const sources = objects(entry['Sources']).map((source) => ({
      ...source,
      Type: 'consul',
      Precedence: precedenceOf(textField(source, 'Name'), textField(entry, 'Name')),
    }));
    return { ...entry, Sources: sources.sort((a, b) => b.Precedence - a.Precedence) };
  },
  validate: (entry) => {
    const sources = objects(entry['Sources']);
    if (sources.length === 0) return ['At least one source is required'];
    const seen = new Set<string>();
    return sources.flatMap((source, at) => sourceFaults(source, at, seen));
  },
};

/** Consul's ranks: an exact destination weighs more than an exact source. */
export function precedenceOf(source: string, destination: string): number {
  if (destination !== '*') return source === '*' ? 8 : 9;
  return source === '*' ? 5 : 6;
}

function sourceFaults(source: JsonObject, at: number, seen: Set<string>): string[] {
  const faults: string[] = [];
  const name = textField(source, 'Name');
  if (name === '') faults.push(`Sources[${at}].Name is required`);
  const key = `${name}\u0000${textField(source, 'Peer')}`;
  if (seen.has(key)) faults.push(`Sources[${at}] defines ${JSON.stringify(name)} more than once`);
  seen.add(key);
  const action = textField(source, 'Action');
  const permissions = objects(source['Permissions']);
  if (permissions.length > 0 && action !== '') {
    faults.push(`Sources[${at}].Action must be omitted if Permissions are specified`);
  }
  if (permissions.length === 0 && action !== 'allow' && action !== 'deny') {
    faults.push(`Sources[${at}].Action must be set to 'allow' or 'deny'`);
  }
  permissions.forEach((permission, index) => {
    const where = `Sources[${at}].Permissions[${index}]`;
    if (permission['Action'] !== 'allow' && permission['Action'] !== 'deny') {
      faults.push(`${where}.Action must be set to 'allow' or 'deny'`);
    }
    const http = permission['HTTP'];
    if (!isJsonObject(http)) {
      if (permission['JWT'] === undefined) faults.push(`${where}.HTTP is required`);
      return;
    }
    const paths = ['PathExact', 'PathPrefix', 'PathRegex'].filter((field) => (http[field] ?? '') !== '');
    if (paths.length > 1) {
      faults.push(`${where}.HTTP should only contain at most one of PathExact, PathPrefix, or PathRegex`);
    }
  });
  return faults;
}

const TLS_DIRECTION: Shape = {
  fields: { TLSMinVersion: 'string', TLSMaxVersion: 'string', CipherSuites: { list: 'string' } },
};

const REQUEST_NORMALIZATION: Shape = {
  fields: {
    InsecureDisablePathNormalization: 'boolean',
    MergeSlashes: 'boolean',
    PathWithEscapedSlashesAction: 'string',
    HeadersWithUnderscoresAction: 'string',
  },
};

export const MESH: ConfigEntryKind = {
  kind: 'mesh',
  onlyName: 'mesh',
  shape: {
    fields: {
      ...COMMON_FIELDS,
      TransparentProxy: { fields: { MeshDestinationsOnly: 'boolean' } },
      AllowEnablingPermissiveMutualTLS: 'boolean',
      ValidateClusters: 'boolean',
      TLS: { fields: { Incoming: TLS_DIRECTION, Outgoing: TLS_DIRECTION } },
      HTTP: {
        fields: {
          SanitizeXForwardedClientCert: 'boolean',
          Incoming: { fields: { RequestNormalization: REQUEST_NORMALIZATION } },
        },
      },
      Peering: { fields: { PeerThroughMeshGateways: 'boolean' } },
    },
  },
  defaults: { TransparentProxy: {} },
  validate: (entry) => {
    const tls = entry['TLS'];
    if (!isJsonObject(tls)) return [];
    return ['Incoming', 'Outgoing'].flatMap((direction) => {
      const side = tls[direction];
      if (!isJsonObject(side)) return [];
      return ['TLSMinVersion', 'TLSMaxVersion']
        .filter((field) => !TLS_VERSIONS.has(textField(side, field)))
        .map(
          (field) =>
            `error in ${direction.toLowerCase()} TLS configuration: no matching TLS version found for ${String(side[field])}, please specify one of [TLS_AUTO, TLSv1_0, TLSv1_1, TLSv1_2, TLSv1_3]`,
        );
    });
  },
};

const TLS_VERSIONS = new Set(['', 'TLS_AUTO', 'TLSv1_0', 'TLSv1_1', 'TLSv1_2', 'TLSv1_3']);

export const JWT_PROVIDER: ConfigEntryKind = {
  kind: 'jwt-provider',
  shape: {
    fields: {
      ...COMMON_FIELDS,
      JSONWebKeySet: {
        fields: {
          Local: { fields: { JWKS: 'string', Filename: 'string' } },
          Remote: {
            fields: {
              URI: 'string',
              RequestTimeoutMs: 'integer',
              CacheDuration: 'nanoseconds',
              FetchAsynchronously: 'boolean',
              UseSNI: 'boolean',
              RetryPolicy: {
                fields: {
                  NumRetries: 'integer',
                  RetryPolicyBackOff: { fields: { BaseInterval: 'nanoseconds', MaxInterval: 'nanoseconds' } },
                },
              },
              JWKSCluster: {
                fields: { DiscoveryType: 'string', ConnectTimeout: 'nanoseconds', TLSCertificates: 'any' },
              },
            },
          },
        },
      },
      Issuer: 'string',
      Audiences: { list: 'string' },
      Locations: {
        list: {
          fields: {
            Header: { fields: { Name: 'string', ValuePrefix: 'string', Forward: 'boolean' } },
            QueryParam: { fields: { Name: 'string' } },
            Cookie: { fields: { Name: 'string' } },
          },
        },
      },
      Forwarding: { fields: { HeaderName: 'string', PadForwardPayloadHeader: 'boolean' } },
      ClockSkewSeconds: 'integer',
      CacheConfig: { fields: { Size: 'integer' } },
    },
  },
  defaults: { ClockSkewSeconds: 30 },
  validate: (entry) => {
    const keys = entry['JSONWebKeySet'];
    const local = isJsonObject(keys) && isJsonObject(keys['Local']);
    const remote = isJsonObject(keys) && isJsonObject(keys['Remote']);
    if (!local && !remote) return ['JSONWebKeySet is required'];
    return local && remote ? ['Must specify exactly one of Local or Remote JSON Web key set'] : [];
  },
};

/** Kinds that are stored for those who read them, without opinions of ours. */
export const EXPORTED_SERVICES: ConfigEntryKind = {
  kind: 'exported-services',
  shape: { fields: { ...COMMON_FIELDS, Services: 'any' } },
  validate: () => [],
};

export const SAMENESS_GROUP: ConfigEntryKind = {
  kind: 'sameness-group',
  shape: { fields: { ...COMMON_FIELDS, DefaultForFailover: 'boolean', IncludeLocal: 'boolean', Members: 'any' } },
  validate: () => [],
};

export const CONTROL_PLANE_REQUEST_LIMIT: ConfigEntryKind = {
  kind: 'control-plane-request-limit',
  shape: { fields: { ...COMMON_FIELDS, Mode: 'string', ReadRate: 'number', WriteRate: 'number' } },
  validate: () => [],
};
