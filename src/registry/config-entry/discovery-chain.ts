/** `service-router`, `service-splitter` and `service-resolver`: where requests for a service go. */
import { checkFilterSyntax } from '../filter/filter.ts';
import { textField } from '../input/fields.ts';
import { isJsonObject, type JsonObject, type Shape } from '../input/shape.ts';
import { COMMON_FIELDS, type ConfigEntryKind, objects } from './kind.ts';

const HEADER_MODIFIERS: Shape = {
  fields: { Add: { map: 'string' }, Set: { map: 'string' }, Remove: { list: 'string' } },
};

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE']);
const RETRY_CONDITIONS = new Set([
  '5xx',
  'gateway-error',
  'reset',
  'reset-before-request',
  'connect-failure',
  'envoy-ratelimited',
  'retriable-4xx',
  'refused-stream',
  'cancelled',
  'deadline-exceeded',
  'internal',
  'resource-exhausted',
  'unavailable',
]);

export const SERVICE_ROUTER: ConfigEntryKind = {
  kind: 'service-router',
  shape: {
    fields: {
      ...COMMON_FIELDS,
      Routes: {
        list: {
          fields: {
            Match: {
              fields: {
                HTTP: {
                  fields: {
                    PathExact: 'string',
                    PathPrefix: 'string',
                    PathRegex: 'string',
                    CaseInsensitive: 'boolean',
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
                    QueryParam: {
                      list: { fields: { Name: 'string', Present: 'boolean', Exact: 'string', Regex: 'string' } },
                    },
                    Methods: { list: 'string' },
                  },
                },
              },
            },
            Destination: {
              fields: {
                Service: 'string',
                ServiceSubset: 'string',
                Namespace: 'string',
                Partition: 'string',
                PrefixRewrite: 'string',
                RequestTimeout: 'duration',
                IdleTimeout: 'duration',
                NumRetries: 'integer',
                RetryOnConnectFailure: 'boolean',
                RetryOn: { list: 'string' },
                RetryOnStatusCodes: { list: 'integer' },
                RequestHeaders: HEADER_MODIFIERS,
                ResponseHeaders: HEADER_MODIFIERS,
              },
            },
          },
        },
      },
    },
  },
  defaults: { Routes: [] },
  normalize: (entry) => ({ ...entry, Routes: objects(entry['Routes']).map(upperCaseMethods) }),
  validate: (entry) => objects(entry['Routes']).flatMap((route, at) => routeFaults(route, at)),
};

export const SERVICE_SPLITTER: ConfigEntryKind = {
  kind: 'service-splitter',
  shape: {
    fields: {
      ...COMMON_FIELDS,
      Splits: {
        list: {
          fields: {
            Weight: 'number',
            Service: 'string',
            ServiceSubset: 'string',
            Namespace: 'string',
            Partition: 'string',
            RequestHeaders: HEADER_MODIFIERS,
            ResponseHeaders: HEADER_MODIFIERS,
          },
        },
      },
    },
  },
  defaults: { Splits: [] },
  normalize: (entry) => ({
    ...entry,
    // The smallest share that can be told apart is 0.01 %.
    Splits: objects(entry['Splits']).map((split) => ({ ...split, Weight: Math.round(weightOf(split) * 100) / 100 })),
  }),
  validate: (entry, name) => {
    const splits = objects(entry['Splits']);
    if (splits.length === 0) return ['no splits configured'];
    const faults: string[] = [];
    const seen = new Set<string>();
    for (const split of splits) {
      const service = textField(split, 'Service') || name;
      const subset = textField(split, 'ServiceSubset');
      const key = `${service}\u0000${subset}`;
      if (seen.has(key)) {
        faults.push(
          `split destination occurs more than once: service=${JSON.stringify(service)}, subset=${JSON.stringify(subset)}, namespace="", partition=""`,
        );
      }
      seen.add(key);
      if (weightOf(split) < 0) faults.push(`split weight ${weightOf(split)} must be between 0 and 100`);
    }
    const sum = splits.reduce((total, split) => total + Math.round(weightOf(split) * 100), 0);
    if (sum !== 10_000) faults.push(`the sum of all split weights must be 100, not ${(sum / 100).toFixed(6)}`);
    return faults;
  },
};

const FAILOVER_POLICY: Shape = { fields: { Mode: 'string', Regions: { list: 'string' } } };

export const SERVICE_RESOLVER: ConfigEntryKind = {
  kind: 'service-resolver',
  shape: {
    fields: {
      ...COMMON_FIELDS,
      DefaultSubset: 'string',
      Subsets: { map: { fields: { Filter: 'string', OnlyPassing: 'boolean' } } },
      Redirect: {
        fields: {
          Service: 'string',
          ServiceSubset: 'string',
          Namespace: 'string',
          Partition: 'string',
          Datacenter: 'string',
          Peer: 'string',
          SamenessGroup: 'string',
        },
      },
      Failover: {
        map: {
          fields: {
            Service: 'string',
            ServiceSubset: 'string',
            Namespace: 'string',
            Datacenters: { list: 'string' },
            Targets: {
              list: {
                fields: {
                  Service: 'string',
                  ServiceSubset: 'string',
                  Partition: 'string',
                  Namespace: 'string',
                  Datacenter: 'string',
                  Peer: 'string',
                },
              },
            },
            Policy: FAILOVER_POLICY,
            SamenessGroup: 'string',
          },
        },
      },
      ConnectTimeout: 'duration',
      RequestTimeout: 'duration',
      LoadBalancer: {
        fields: {
          Policy: 'string',
          RingHashConfig: { fields: { MinimumRingSize: 'integer', MaximumRingSize: 'integer' } },
          LeastRequestConfig: { fields: { ChoiceCount: 'integer' } },
          HashPolicies: {
            list: {
              fields: {
                Field: 'string',
                FieldValue: 'string',
                CookieConfig: { fields: { Session: 'boolean', TTL: 'nanoseconds', Path: 'string' } },
                SourceIP: 'boolean',
                Terminal: 'boolean',
              },
            },
          },
        },
      },
      PrioritizeByLocality: { fields: { Mode: 'string' } },
    },
  },
  validate: (entry, name) => [
    ...subsetFaults(entry),
    ...redirectFaults(entry, name),
    ...failoverFaults(entry, name),
    ...timeoutFaults(entry),
    ...loadBalancerFaults(entry),
  ],
};

function upperCaseMethods(route: JsonObject): JsonObject {
  const match = route['Match'];
  const http = isJsonObject(match) ? match['HTTP'] : undefined;
  if (!isJsonObject(http) || !Array.isArray(http['Methods'])) return route;
  const methods = http['Methods'].map((method) => String(method).toUpperCase());
  return { ...route, Match: { HTTP: { ...http, Methods: methods } } };
}

function routeFaults(route: JsonObject, at: number): string[] {
  const match = route['Match'];
  const http = isJsonObject(match) && isJsonObject(match['HTTP']) ? match['HTTP'] : {};
  const destination = isJsonObject(route['Destination']) ? route['Destination'] : {};
  const faults = matchFaults(http, at);
  const hasPath = isSet(http['PathExact']) || isSet(http['PathPrefix']);
  if (isSet(destination['PrefixRewrite']) && !hasPath) {
    faults.push(`Route[${at}] cannot make use of PrefixRewrite without configuring either PathExact or PathPrefix`);
  }
  const retryOn = destination['RetryOn'];
  for (const condition of Array.isArray(retryOn) ? retryOn : []) {
    if (!RETRY_CONDITIONS.has(String(condition))) {
      faults.push(`Route[${at}] contains an invalid retry condition: ${JSON.stringify(condition)}`);
    }
  }
  return faults;
}

function matchFaults(http: JsonObject, at: number): string[] {
  const faults: string[] = [];
  const paths = ['PathExact', 'PathPrefix', 'PathRegex'].filter((field) => isSet(http[field]));
  if (paths.length > 1) {
    faults.push(`Route[${at}] should only contain at most one of PathExact, PathPrefix, or PathRegex`);
  }
  for (const field of ['PathExact', 'PathPrefix']) {
    const value = http[field];
    if (isSet(value) && !String(value).startsWith('/')) {
      faults.push(`Route[${at}] ${field} doesn't start with '/': ${JSON.stringify(value)}`);
    }
  }
  objects(http['Header']).forEach((header, index) => {
    if (!isSet(header['Name'])) faults.push(`Route[${at}] Header[${index}] missing required Name field`);
    const set = ['Present', 'Exact', 'Prefix', 'Suffix', 'Contains', 'Regex'].filter((field) => isSet(header[field]));
    if (set.length !== 1) {
      faults.push(
        `Route[${at}] Header[${index}] should only contain one of Present, Exact, Prefix, Suffix, Contains, or Regex`,
      );
    }
  });
  objects(http['QueryParam']).forEach((parameter, index) => {
    if (!isSet(parameter['Name'])) faults.push(`Route[${at}] QueryParam[${index}] missing required Name field`);
    const set = ['Present', 'Exact', 'Regex'].filter((field) => isSet(parameter[field]));
    if (set.length !== 1) {
      faults.push(`Route[${at}] QueryParam[${index}] should only contain one of Present, Exact, or Regex`);
    }
  });
  const seen = new Set<unknown>();
  for (const method of Array.isArray(http['Methods']) ? http['Methods'] : []) {
    if (!METHODS.has(String(method))) {
      faults.push(`Route[${at}] Methods contains an invalid method ${JSON.stringify(method)}`);
    }
    if (seen.has(method)) faults.push(`Route[${at}] Methods contains ${JSON.stringify(method)} more than once`);
    seen.add(method);
  }
  return faults;
}

function subsetFaults(entry: JsonObject): string[] {
  const faults: string[] = [];
  const subsets = subsetsOf(entry);
  for (const [name, subset] of Object.entries(subsets)) {
    if (name === '') faults.push('Subset defined with empty name');
    else if (!/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(name) || name.length > 63) {
      faults.push(
        `Subset ${JSON.stringify(name)} is invalid: must be 63 characters or fewer of a-z, 0-9 and "-", and begin and end with a letter or digit`,
      );
    }
    const filter = isJsonObject(subset) ? subset['Filter'] : undefined;
    if (!isSet(filter)) continue;
    try {
      checkFilterSyntax(String(filter));
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      faults.push(`Filter for subset ${JSON.stringify(name)} is not a valid expression: ${reason}`);
    }
  }
  const chosen = entry['DefaultSubset'];
  if (isSet(chosen) && !Object.hasOwn(subsets, String(chosen))) {
    faults.push(`DefaultSubset ${JSON.stringify(chosen)} is not a valid subset`);
  }
  return faults;
}

function redirectFaults(entry: JsonObject, name: string): string[] {
  const redirect = entry['Redirect'];
  if (!isJsonObject(redirect)) return [];
  const faults: string[] = [];
  if (isJsonObject(entry['Failover']) && Object.keys(entry['Failover']).length > 0) {
    faults.push('Redirect and Failover cannot both be set');
  }
  if (!Object.values(redirect).some(isSet)) faults.push('Redirect is empty');
  const service = textField(redirect, 'Service');
  const subset = redirect['ServiceSubset'];
  if (service === '' && isSet(subset)) faults.push('Redirect.ServiceSubset defined without Redirect.Service');
  else if (isSet(subset) && service === name && !Object.hasOwn(subsetsOf(entry), String(subset))) {
    faults.push(`Redirect.ServiceSubset ${JSON.stringify(subset)} is not a valid subset of ${JSON.stringify(name)}`);
  }
  return faults;
}

function failoverFaults(entry: JsonObject, name: string): string[] {
  const failover = entry['Failover'];
  if (!isJsonObject(failover)) return [];
  const subsets = subsetsOf(entry);
  const faults: string[] = [];
  for (const [subset, value] of Object.entries(failover)) {
    const prefix = `Bad Failover[${JSON.stringify(subset)}]: `;
    const rule = isJsonObject(value) ? value : {};
    if (subset !== '*' && !Object.hasOwn(subsets, subset)) faults.push(`${prefix}not a valid subset subset`);
    const needed = ['Service', 'ServiceSubset', 'Namespace', 'Targets', 'Datacenters', 'SamenessGroup'];
    if (!needed.some((field) => isSet(rule[field]))) {
      faults.push(`${prefix}one of Service, ServiceSubset, Namespace, Targets, or Datacenters is required`);
    }
    const ownSubset = rule['ServiceSubset'];
    const service = textField(rule, 'Service');
    if (isSet(ownSubset) && (service === '' || service === name) && !Object.hasOwn(subsets, String(ownSubset))) {
      faults.push(
        `${prefix}ServiceSubset ${JSON.stringify(ownSubset)} is not a valid subset of ${JSON.stringify(service)}`,
      );
    }
    for (const other of ['Datacenters', 'ServiceSubset', 'Service']) {
      if (isSet(rule['Targets']) && isSet(rule[other])) faults.push(`${prefix}Targets cannot be set with ${other}`);
    }
  }
  return faults;
}

function timeoutFaults(entry: JsonObject): string[] {
  return ['ConnectTimeout', 'RequestTimeout']
    .filter((field) => textField(entry, field).startsWith('-'))
    .map((field) => `Bad ${field} '${String(entry[field])}', must be >= 0`);
}

function loadBalancerFaults(entry: JsonObject): string[] {
  const balancer = entry['LoadBalancer'];
  if (!isJsonObject(balancer)) return [];
  const policy = textField(balancer, 'Policy');
  const quoted = JSON.stringify(policy);
  const faults: string[] = [];
  if (!['', 'random', 'round_robin', 'least_request', 'ring_hash', 'maglev'].includes(policy)) {
    faults.push(`Bad LoadBalancer policy: ${quoted} is not supported`);
  }
  if (policy !== 'ring_hash' && isJsonObject(balancer['RingHashConfig'])) {
    faults.push(
      `Bad LoadBalancer configuration. RingHashConfig specified for incompatible load balancing policy ${quoted}`,
    );
  }
  if (policy !== 'least_request' && isJsonObject(balancer['LeastRequestConfig'])) {
    faults.push(
      `Bad LoadBalancer configuration. LeastRequestConfig specified for incompatible load balancing policy ${quoted}`,
    );
  }
  const hashes = objects(balancer['HashPolicies']);
  if (hashes.length > 0 && policy !== 'ring_hash' && policy !== 'maglev') {
    faults.push(`Bad LoadBalancer configuration: HashPolicies specified for non-hash-based Policy: ${quoted}`);
  }
  hashes.forEach((hash, at) => {
    faults.push(...hashPolicyFaults(hash).map((fault) => `Bad LoadBalancer HashPolicy[${at}]: ${fault}`));
  });
  return faults;
}

function hashPolicyFaults(hash: JsonObject): string[] {
  const faults: string[] = [];
  const field = textField(hash, 'Field');
  const quoted = JSON.stringify(field);
  const value = hash['FieldValue'];
  if (!['', 'header', 'cookie', 'query_parameter'].includes(field)) faults.push(`${quoted} is not a supported field`);
  if (hash['SourceIP'] === true && field !== '') {
    faults.push(`A single hash policy cannot hash both a source address and a ${quoted}`);
  }
  if (hash['SourceIP'] === true && isSet(value)) faults.push('A FieldValue cannot be specified when hashing SourceIP');
  if (field !== '' && !isSet(value)) faults.push(`Field ${quoted} was specified without a FieldValue`);
  if (isSet(value) && field === '') faults.push('FieldValue requires a Field to apply to');
  const cookie = hash['CookieConfig'];
  if (isJsonObject(cookie)) {
    if (field !== 'cookie') faults.push(`cookie_config provided for ${quoted}`);
    if (cookie['Session'] === true && Number(cookie['TTL'] ?? 0) !== 0) {
      faults.push('a session cookie cannot have an associated TTL');
    }
  }
  return faults;
}

function subsetsOf(entry: JsonObject): JsonObject {
  const subsets = entry['Subsets'];
  return isJsonObject(subsets) ? subsets : {};
}

function weightOf(split: JsonObject): number {
  const weight = split['Weight'];
  return typeof weight === 'number' ? weight : 0;
}

/** Go's zero values count as absent. */
function isSet(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  return value !== undefined && value !== null && value !== '' && value !== false;
}
