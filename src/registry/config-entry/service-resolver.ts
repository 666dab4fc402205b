/** `service-resolver`: which instances stand for a service, and how one of them is picked. */
import { checkFilterSyntax } from '../filter/filter.ts';
import { stringList, textField } from '../input/fields.ts';
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
    ...localityFaults(entry),
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
        `Subset ${JSON.stringify(name)} is invalid: must be 63 characters or fewer, begin or end with lower case alphanumeric characters, and contain lower case alphanumeric characters or '-' in between`,
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

function localityFaults(entry: JsonObject): string[] {
  const locality = entry['PrioritizeByLocality'];
  const isAsked = isJsonObject(locality) && textField(locality, 'Mode') !== '';
  return isAsked ? ['Prioritize-by-locality requires Consul Enterprise '] : [];
}

/** Fields that exclude each other, in the order they are looked at. */
const REDIRECT_EXCLUSIONS = [
  ['Peer', 'ServiceSubset', 'Redirect.Peer cannot be set with Redirect.ServiceSubset'],
  ['Peer', 'Datacenter', 'Redirect.Peer cannot be set with Redirect.Datacenter'],
] as const;

function redirectFaults(entry: JsonObject, name: string): string[] {
  const redirect = entry['Redirect'];
  if (!isJsonObject(redirect)) return [];
  const faults = enterpriseFaults(redirect, ['Partition', 'Namespace', 'SamenessGroup'], 'Redirect: ');
  if (isJsonObject(entry['Failover']) && Object.keys(entry['Failover']).length > 0) {
    faults.push('Redirect and Failover cannot both be set');
  }
  if (!Object.values(redirect).some(isSet)) faults.push('Redirect is empty');
  for (const [one, other, fault] of REDIRECT_EXCLUSIONS) {
    if (isSet(redirect[one]) && isSet(redirect[other])) faults.push(fault);
  }
  const service = textField(redirect, 'Service');
  const subset = redirect['ServiceSubset'];
  if (service === '') {
    for (const field of ['ServiceSubset', 'Peer']) {
      if (isSet(redirect[field])) faults.push(`Redirect.${field} defined without Redirect.Service`);
    }
  } else if (isSet(subset) && service === name && !Object.hasOwn(subsetsOf(entry), String(subset))) {
    faults.push(`Redirect.ServiceSubset ${JSON.stringify(subset)} is not a valid subset of ${JSON.stringify(name)}`);
  }
  return faults;
}

function failoverFaults(entry: JsonObject, name: string): string[] {
  const failover = entry['Failover'];
  if (!isJsonObject(failover)) return [];
  const subsets = subsetsOf(entry);
  return Object.entries(failover).flatMap(([subset, value]) => {
    const rule = isJsonObject(value) ? value : {};
    const isKnown = subset === '*' || Object.hasOwn(subsets, subset);
    const at = `Bad Failover[${JSON.stringify(subset)}]`;
    return [
      ...enterpriseFaults(rule, ['Namespace', 'SamenessGroup'], `${at}: `),
      ...(isKnown ? [] : [`${at}: not a valid subset subset`]),
      ...ruleFaults(rule, name, subsets, at),
      ...objects(rule['Targets']).flatMap((target, index) =>
        failoverTargetFaults(target, name, subsets, `${at}.Targets[${index}]: `),
      ),
      ...stringList(rule['Datacenters']).flatMap((datacenter) =>
        datacenter === '' ? [`${at}.Datacenters: found empty datacenter`] : [],
      ),
    ];
  });
}

function ruleFaults(rule: JsonObject, name: string, subsets: JsonObject, at: string): string[] {
  const faults: string[] = [];
  const needed = ['Service', 'ServiceSubset', 'Namespace', 'Targets', 'Datacenters', 'SamenessGroup'];
  if (!needed.some((field) => isSet(rule[field]))) {
    faults.push(`${at}: one of Service, ServiceSubset, Namespace, Targets, SamenessGroup, or Datacenters is required`);
  }
  const policy = rule['Policy'];
  if (isJsonObject(policy) && textField(policy, 'Mode') !== '') {
    faults.push(`${at}: Setting failover policies requires Consul Enterprise`);
  }
  const service = textField(rule, 'Service');
  if (isForeignSubset(rule, name, subsets)) {
    const subset = JSON.stringify(rule['ServiceSubset']);
    faults.push(`${at}: ServiceSubset ${subset} is not a valid subset of ${JSON.stringify(service)}`);
  }
  for (const other of ['Datacenters', 'ServiceSubset', 'Service']) {
    if (isSet(rule['Targets']) && isSet(rule[other])) faults.push(`${at}: Targets cannot be set with ${other}`);
  }
  return faults;
}

function failoverTargetFaults(target: JsonObject, name: string, subsets: JsonObject, prefix: string): string[] {
  const faults = enterpriseFaults(target, ['Partition', 'Namespace'], prefix);
  for (const other of ['ServiceSubset', 'Datacenter']) {
    if (isSet(target['Peer']) && isSet(target[other])) faults.push(`${prefix}Peer cannot be set with ${other}`);
  }
  if (isForeignSubset(target, name, subsets)) {
    const subset = JSON.stringify(target['ServiceSubset']);
    faults.push(`${prefix}ServiceSubset ${subset} is not a valid subset of ${JSON.stringify(name)}`);
  }
  return faults;
}

/** A subset of the own service has to be among the entry's own. */
function isForeignSubset(fields: JsonObject, name: string, subsets: JsonObject): boolean {
  const service = textField(fields, 'Service');
  const subset = textField(fields, 'ServiceSubset');
  return subset !== '' && (service === '' || service === name) && !Object.hasOwn(subsets, subset);
}

function enterpriseFaults(fields: JsonObject, names: readonly string[], prefix: string): string[] {
  return names
    .filter((field) => isSet(fields[field]))
    .map((field) => `${prefix}Setting ${field} requires Consul Enterprise`);
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
