import { decodeHeaderName } from './header-mutation-decode.ts';
import type { JwtAuthnConfig, JwtProvider, JwtRequirement } from './jwt-authn.ts';
import { decodeLocalJwks, decodeRemoteJwks } from './jwt-key-set-decode.ts';
import { decodeStringMatcher } from './matcher-decode.ts';
import type { MessageReader } from './message-reader.ts';
import { decodeRouteMatch } from './route-match-decode.ts';

const DEFAULT_CLOCK_SKEW_SECONDS = 60;
const DEFAULT_CACHE_SIZE = 100;
const MAX_CACHE_SIZE = 10_000;

/** envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication. It decides access, so nothing in it is read past. */
export function decodeJwtAuthn(reader: MessageReader): JwtAuthnConfig {
  reader.refuse('filter_state_rules');
  const listed = [...reader.messageMap('providers')];
  const providers = new Map(listed.map(([name, provider]) => [name, decodeProvider(name, provider)]));
  const named = [...reader.messageMap('requirement_map')];
  const requirements = new Map(named.map(([name, requirement]) => [name, decodeTop(requirement, providers)]));
  const rules = reader.messages('rules').map((rule) => {
    const match = decodeRouteMatch(rule.requiredMessage('match'));
    if (match.runtimeFraction < 1) rule.fault('match.runtime_fraction', 'is not supported; remove it');
    return { match, requirement: decodeRule(rule, providers, requirements) };
  });
  return {
    kind: 'jwtAuthn',
    providers,
    rules,
    requirements,
    bypassCorsPreflight: reader.boolean('bypass_cors_preflight'),
    stripFailureResponse: reader.boolean('strip_failure_response'),
  };
}

function decodeProvider(name: string, reader: MessageReader): JwtProvider {
  reader.refuse('header_in_metadata', 'failed_status_in_metadata', 'claim_to_headers', 'clear_route_cache');
  const subjects = reader.message('subjects');
  const payloadHeader = reader.string('forward_payload_header');
  return {
    name,
    issuer: reader.string('issuer'),
    audiences: reader.strings('audiences'),
    subjects: subjects && decodeStringMatcher(subjects),
    requireExpiration: reader.boolean('require_expiration'),
    maxLifetimeMs: reader.positiveDurationMs('max_lifetime'),
    clockSkewMs: (reader.number('clock_skew_seconds') || DEFAULT_CLOCK_SKEW_SECONDS) * 1_000,
    keys: decodeKeys(reader),
    ...decodeLocations(reader),
    forward: reader.boolean('forward'),
    forwardPayloadHeader: payloadHeader === '' ? '' : decodeHeaderName(reader, 'forward_payload_header', payloadHeader),
    padsForwardedPayload: reader.boolean('pad_forward_payload_header'),
    payloadInMetadata: reader.string('payload_in_metadata'),
    spaceDelimitedClaims: reader.message('normalize_payload_in_metadata')?.strings('space_delimited_claims') ?? [],
    cacheSize: decodeCacheSize(reader),
  };
}

function decodeKeys(reader: MessageReader): JwtProvider['keys'] {
  const remote = reader.message('remote_jwks');
  if (remote !== undefined) return decodeRemoteJwks(remote);
  return decodeLocalJwks(reader.requiredMessage('local_jwks'));
}

function decodeCacheSize(reader: MessageReader): number {
  const cache = reader.message('jwt_cache_config');
  if (cache === undefined) return 0;
  return Math.min(cache.number('jwt_cache_size') || DEFAULT_CACHE_SIZE, MAX_CACHE_SIZE);
}

/** Where nothing is said: `authorization: Bearer`, and the query parameter of RFC 6750 §2.3. */
function decodeLocations(reader: MessageReader): Pick<JwtProvider, 'fromHeaders' | 'fromParams' | 'fromCookies'> {
  const fromHeaders = reader.messages('from_headers').map((header) => ({
    name: decodeHeaderName(header, 'name', header.requiredString('name')),
    valuePrefix: header.string('value_prefix'),
  }));
  const fromParams = reader.strings('from_params');
  const fromCookies = reader.strings('from_cookies');
  if (fromHeaders.length + fromParams.length + fromCookies.length > 0) return { fromHeaders, fromParams, fromCookies };
  return {
    fromHeaders: [{ name: 'authorization', valuePrefix: 'Bearer ' }],
    fromParams: ['access_token'],
    fromCookies: [],
  };
}

type Providers = ReadonlyMap<string, JwtProvider>;

function decodeRule(
  reader: MessageReader,
  providers: Providers,
  requirements: ReadonlyMap<string, JwtRequirement>,
): JwtRequirement {
  const name = reader.string('requirement_name');
  if (name === '') return decodeTop(reader.message('requires'), providers);
  const requirement = requirements.get(name);
  if (requirement === undefined) reader.fault('requirement_name', `${name} is not in requirement_map`);
  return requirement ?? NOBODY;
}

/** Nobody meets it: what a refused one reads as. */
const NOBODY: JwtRequirement = { kind: 'any', requirements: [] };

/** A rule that requires nothing lets its requests pass. */
function decodeTop(reader: MessageReader | undefined, providers: Providers): JwtRequirement {
  if (reader === undefined || reader.oneof('requires_type') === undefined) return { kind: 'none' };
  return decodeRequirement(reader, providers);
}

function decodeRequirement(reader: MessageReader, providers: Providers): JwtRequirement {
  const type = reader.oneof('requires_type');
  switch (type) {
    case 'provider_name':
      return { kind: 'provider', provider: known(reader, reader.string(type), providers), audiences: undefined };
    case 'provider_and_audiences': {
      const both = reader.message(type);
      const provider = known(reader, both?.string('provider_name') ?? '', providers);
      return { kind: 'provider', provider, audiences: both?.strings('audiences') ?? [] };
    }
    case 'requires_any':
    case 'requires_all': {
      const listed = reader.message(type)?.messages('requirements') ?? [];
      if (listed.length < 2) reader.fault(`${type}.requirements`, 'must have at least two');
      const requirements = listed.map((requirement) => decodeRequirement(requirement, providers));
      return { kind: type === 'requires_any' ? 'any' : 'all', requirements };
    }
    case 'allow_missing':
      return { kind: 'allowMissing' };
    case 'allow_missing_or_failed':
      return { kind: 'allowMissingOrFailed' };
    default:
      reader.fault('', 'must say what it requires');
      return NOBODY;
  }
}

function known(reader: MessageReader, name: string, providers: Providers): string {
  if (!providers.has(name)) reader.fault('provider_name', `${name} is not in providers`);
  return name;
}
