import { isIP } from 'node:net';
import { ListedFields } from '../../../http/listed-fields.ts';
import {
  type DescriptorEntry,
  RATE_LIMIT_UNITS,
  type RateLimitDescriptor,
} from '../../../resource/rate-limit-message.ts';
import type { MetadataKey, RateLimitAction, RateLimitPolicy } from '../../../resource/rate-limit-policy.ts';
import { compileHeaderMatcher, type MatchableRequest } from '../../route/route.ts';
import { requestValue } from '../effective-fields.ts';
import type { FilterStream } from '../filter-stream.ts';
import { utf8Text } from '../utf8-text.ts';
import { maskedAddress } from './masked-address.ts';
import { compileQueryMatcher, decodedQuery } from './query.ts';

/** What a descriptor may tell of. */
export interface DescriptorSubject {
  readonly stream: FilterStream;
  readonly nodeCluster: string;
  /** Where the request goes. */
  readonly clusterName: string;
}

/** A descriptor of one request; undefined where the request has not what it takes. */
export type DescriptorMaker = (subject: DescriptorSubject) => RateLimitDescriptor | undefined;

/** An entry, 'none' where only this one is left out, undefined where there is no descriptor at all. */
type EntryMaker = (subject: DescriptorSubject) => DescriptorEntry | 'none' | undefined;

export function compileDescriptor({ actions, limitOverride, hitsAddend }: RateLimitPolicy): DescriptorMaker {
  const makers = actions.map(compileAction);
  return (subject) => {
    const entries: DescriptorEntry[] = [];
    for (const make of makers) {
      const entry = make(subject);
      if (entry === undefined) return undefined;
      if (entry !== 'none') entries.push(entry);
    }
    if (entries.length === 0) return undefined;
    const limit = limitOverride === undefined ? undefined : limitIn(subject.stream, limitOverride);
    return { entries, limit, hitsAddend };
  };
}

function compileAction(action: RateLimitAction): EntryMaker {
  switch (action.kind) {
    case 'sourceCluster':
      return ({ nodeCluster }) => ({ key: 'source_cluster', value: nodeCluster });
    case 'destinationCluster':
      return ({ clusterName }) => ({ key: 'destination_cluster', value: clusterName });
    case 'remoteAddress':
      return ({ stream: { clientAddress } }) =>
        isIP(clientAddress) === 0 ? undefined : { key: 'remote_address', value: clientAddress };
    case 'maskedRemoteAddress': {
      const { v4PrefixLength, v6PrefixLength } = action;
      return ({ stream }) =>
        entry('masked_remote_address', maskedAddress(stream.clientAddress, v4PrefixLength, v6PrefixLength), undefined);
    }
    case 'genericKey': {
      const made = { key: action.descriptorKey, value: action.descriptorValue };
      return () => made;
    }
    case 'requestHeader': {
      const { name, descriptorKey, skipIfAbsent } = action;
      return ({ stream }) => entry(descriptorKey, requestValue(stream, name), skipIfAbsent ? 'none' : undefined);
    }
    case 'queryParameter': {
      const { name, descriptorKey, skipIfAbsent } = action;
      const key = Buffer.from(name, 'utf8').toString('latin1');
      return ({ stream }) =>
        entry(descriptorKey, decodedQuery(stream.head.path).get(key), skipIfAbsent ? 'none' : undefined);
    }
    case 'headerValueMatch': {
      const matchers = action.headers.map(compileHeaderMatcher);
      const made = { key: action.descriptorKey, value: action.descriptorValue };
      return ({ stream }) => {
        const request = effectiveRequest(stream);
        return matchers.every((matches) => matches(request)) === action.expectMatch ? made : undefined;
      };
    }
    case 'queryParameterValueMatch': {
      const matchers = action.queryParameters.map(compileQueryMatcher);
      const made = { key: action.descriptorKey, value: action.descriptorValue };
      return ({ stream }) => {
        const query = decodedQuery(stream.head.path);
        return matchers.every((matches) => matches(query)) === action.expectMatch ? made : undefined;
      };
    }
    case 'metadata':
      return compileMetadata(action);
  }
}

function compileMetadata({
  source,
  key,
  descriptorKey,
  defaultValue,
  skipIfAbsent,
}: Extract<RateLimitAction, { readonly kind: 'metadata' }>): EntryMaker {
  return ({ stream }) => {
    const found = source === 'dynamic' ? stream.metadata?.at(key.filter, key.path) : routeMetadata(stream, key);
    // Only text counts, as in Envoy.
    const value = typeof found === 'string' && found !== '' ? found : defaultValue;
    if (value !== '') return { key: descriptorKey, value };
    return skipIfAbsent ? 'none' : undefined;
  };
}

function routeMetadata({ route }: FilterStream, { filter, path }: MetadataKey): unknown {
  let value: unknown = route?.route.metadata[filter];
  for (const key of path) value = memberOf(value, key);
  return value;
}

function memberOf(value: unknown, key: string): unknown {
  const isObject = typeof value === 'object' && value !== null && Object.hasOwn(value, key);
  return isObject ? Reflect.get(value, key) : undefined;
}

/** What metadata says in the place of the service's limit; anything but a number and the name of a unit says nothing. */
function limitIn({ metadata }: FilterStream, { filter, path }: MetadataKey): RateLimitDescriptor['limit'] {
  const found = metadata?.at(filter, path);
  const requestsPerUnit = memberOf(found, 'requests_per_unit');
  const unitName = memberOf(found, 'unit');
  const unit = typeof unitName === 'string' ? RATE_LIMIT_UNITS.get(unitName) : undefined;
  const isCount = typeof requestsPerUnit === 'number' && requestsPerUnit >= 0 && requestsPerUnit < 2 ** 32;
  return unit === undefined || !isCount ? undefined : { requestsPerUnit: Math.floor(requestsPerUnit), unit };
}

function entry<Absent>(key: string, value: string | undefined, absent: Absent): DescriptorEntry | Absent {
  return value === undefined ? absent : { key, value: utf8Text(value) };
}

/** The request as filters before have left it. */
function effectiveRequest({ head, requestEdits }: FilterStream): MatchableRequest {
  if (requestEdits.isEmpty) return head;
  const { method, scheme, authority, path, fields } = head;
  const pairs: string[] = [];
  for (let index = 0; index < fields.count; index++) {
    if (!requestEdits.isRemoved(index)) pairs.push(fields.nameAt(index), fields.valueAt(index));
  }
  pairs.push(...requestEdits.added);
  return { method, scheme, authority, path, fields: new ListedFields(pairs) };
}
