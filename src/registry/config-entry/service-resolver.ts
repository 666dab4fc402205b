/** `service-resolver`: which instances stand for a service, and how one of them is picked. */
import { checkFilterSyntax } from '../filter/filter.ts';
import { textField } from '../input/fields.ts';
import { isJsonObject, type JsonObject, type Shape } from '../input/shape.ts';
import { COMMON_FIELDS, type ConfigEntryKind, isSet, objects } from './kind.ts';

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
      faults.push(
        `${prefix}one of Service, ServiceSubset, Namespace, Targets, SamenessGroup, or Datacenters is required`,
      );
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
