import { decodeHeaderMatcher, decodeQueryParameterMatcher } from './matcher-decode.ts';
import type { MessageReader } from './message-reader.ts';
import type { MetadataKey, NamedValueAction, RateLimitAction, RateLimitPolicy } from './rate-limit-policy.ts';

/** Envoy's. */
const MAX_STAGE = 10;
const MAX_HITS_ADDEND = 1_000_000_000;

const NO_KEY: MetadataKey = { filter: '', path: [] };
/** Stands in for an action that was refused. */
const REFUSED: RateLimitAction = { kind: 'sourceCluster' };

/** The `rate_limits` of a route or virtual host; `disable_key` names a runtime value, and there is no runtime. */
export function decodeRateLimits(reader: MessageReader, field = 'rate_limits'): readonly RateLimitPolicy[] {
  return reader.messages(field).map((policy) => decodeRateLimit(policy));
}

/** The same inside a filter's own configuration, where Envoy takes no stages, runtime keys and older spellings. */
export function decodeEmbeddedRateLimits(reader: MessageReader): readonly RateLimitPolicy[] {
  return reader.messages('rate_limits').map((policy) => {
    policy.refuse('stage', 'disable_key');
    for (const action of policy.messages('actions')) action.refuse('dynamic_metadata');
    return decodeRateLimit(policy);
  });
}

/** A stage from 0 to 10. */
export function decodeStage(reader: MessageReader, stage: number): number {
  if (stage > MAX_STAGE) reader.fault('stage', `must be at most ${MAX_STAGE}, not ${stage}`);
  return stage;
}

function decodeRateLimit(reader: MessageReader): RateLimitPolicy {
  const actions = reader.messages('actions').map(decodeAction);
  if (actions.length === 0) reader.fault('actions', 'must not be empty');
  const limit = reader.message('limit');
  const override = limit?.requiredMessage('dynamic_metadata');
  return {
    stage: decodeStage(reader, reader.wrappedNumber('stage') ?? 0),
    actions,
    limitOverride: override && decodeMetadataKey(override),
    hitsAddend: decodeHitsAddend(reader.message('hits_addend')),
    onStreamDone: reader.boolean('apply_on_stream_done'),
  };
}

function decodeHitsAddend(reader: MessageReader | undefined): number | undefined {
  if (reader === undefined) return undefined;
  if (reader.has('format')) reader.fault('format', 'is not supported; use number');
  const hits = reader.wrappedNumber('number');
  if (hits !== undefined && hits > MAX_HITS_ADDEND) {
    reader.fault('number', `must be at most ${MAX_HITS_ADDEND}, not ${hits}`);
  }
  return hits;
}

function decodeAction(reader: MessageReader): RateLimitAction {
  const specifier = reader.oneof('action_specifier');
  const action = specifier === undefined ? undefined : reader.message(specifier);
  if (specifier === undefined || action === undefined) {
    reader.fault('', 'must say what it adds');
    return REFUSED;
  }
  switch (specifier) {
    case 'source_cluster':
      return { kind: 'sourceCluster' };
    case 'destination_cluster':
      return { kind: 'destinationCluster' };
    case 'request_headers':
      return decodeNamedValue(action, 'requestHeader', action.requiredString('header_name').toLowerCase());
    case 'query_parameters':
      return decodeNamedValue(action, 'queryParameter', action.requiredString('query_parameter_name'));
    case 'remote_address':
      return { kind: 'remoteAddress' };
    case 'masked_remote_address':
      return decodeMaskedAddress(action);
    case 'generic_key':
      return { kind: 'genericKey', ...decodeEntry(action, 'generic_key') };
    case 'header_value_match':
      return decodeHeaderValueMatch(action);
    case 'query_parameter_value_match':
      return decodeQueryValueMatch(action);
    case 'metadata':
      return decodeMetadata(action, action.choice('source', SOURCES, 'dynamic'), action.boolean('skip_if_absent'));
    case 'dynamic_metadata':
      return decodeMetadata(action, 'dynamic', false);
    default:
      reader.refuse(specifier);
      return REFUSED;
  }
}

const SOURCES = { DYNAMIC: 'dynamic', ROUTE_ENTRY: 'route' } as const;

function decodeNamedValue(reader: MessageReader, kind: NamedValueAction['kind'], name: string): NamedValueAction {
  const descriptorKey = reader.requiredString('descriptor_key');
  return { kind, name, descriptorKey, skipIfAbsent: reader.boolean('skip_if_absent') };
}

/** `default_value` counts only for values with command operators, which Envoy does not read either unless told to. */
function decodeEntry(reader: MessageReader, defaultKey: string): { descriptorKey: string; descriptorValue: string } {
  const key = reader.string('descriptor_key');
  return { descriptorKey: key === '' ? defaultKey : key, descriptorValue: reader.requiredString('descriptor_value') };
}

function decodeMaskedAddress(reader: MessageReader): RateLimitAction {
  const length = (field: string, longest: number): number => {
    const bits = reader.wrappedNumber(field) ?? longest;
    if (bits > longest) reader.fault(field, `must be at most ${longest}, not ${bits}`);
    return bits;
  };
  return {
    kind: 'maskedRemoteAddress',
    v4PrefixLength: length('v4_prefix_mask_len', 32),
    v6PrefixLength: length('v6_prefix_mask_len', 128),
  };
}

function decodeHeaderValueMatch(reader: MessageReader): RateLimitAction {
  const headers = reader.messages('headers').map(decodeHeaderMatcher);
  if (headers.length === 0) reader.fault('headers', 'must not be empty');
  const expectMatch = reader.wrappedBoolean('expect_match') ?? true;
  return { kind: 'headerValueMatch', ...decodeEntry(reader, 'header_match'), expectMatch, headers };
}

function decodeQueryValueMatch(reader: MessageReader): RateLimitAction {
  const queryParameters = reader.messages('query_parameters').map(decodeQueryParameterMatcher);
  if (queryParameters.length === 0) reader.fault('query_parameters', 'must not be empty');
  const expectMatch = reader.wrappedBoolean('expect_match') ?? true;
  return { kind: 'queryParameterValueMatch', ...decodeEntry(reader, 'query_match'), expectMatch, queryParameters };
}

function decodeMetadata(reader: MessageReader, source: 'dynamic' | 'route', skipIfAbsent: boolean): RateLimitAction {
  return {
    kind: 'metadata',
    descriptorKey: reader.requiredString('descriptor_key'),
    source,
    key: decodeMetadataKey(reader),
    defaultValue: reader.string('default_value'),
    skipIfAbsent,
  };
}

function decodeMetadataKey(owner: MessageReader): MetadataKey {
  const reader = owner.requiredMessage('metadata_key');
  if (reader === undefined) return NO_KEY;
  const path = reader.messages('path').map((segment) => segment.requiredString('key'));
  if (path.length === 0) reader.fault('path', 'must not be empty');
  return { filter: reader.requiredString('key'), path };
}
