import { decodeHeaderMatcher, decodeQueryParameterMatcher, decodeRegex } from './matcher-decode.ts';
import type { MessageReader } from './message-reader.ts';
import { decodeRuntimeFraction } from './percent-decode.ts';
import type { PathMatch, RouteMatch } from './route-configuration.ts';

/** envoy.config.route.v3.RouteMatch. */
export function decodeRouteMatch(reader: MessageReader | undefined): RouteMatch {
  reader?.refuse('tls_context', 'dynamic_metadata');
  return {
    path: decodePathMatch(reader),
    caseSensitive: reader?.wrappedBoolean('case_sensitive') ?? true,
    headers: reader?.messages('headers').map(decodeHeaderMatcher) ?? [],
    queryParameters: reader?.messages('query_parameters').map(decodeQueryParameterMatcher) ?? [],
    runtimeFraction: decodeRuntimeFraction(reader?.message('runtime_fraction')) ?? 1,
    grpc: reader?.has('grpc') ?? false,
  };
}

function decodePathMatch(reader: MessageReader | undefined): PathMatch {
  const everything: PathMatch = { kind: 'prefix', prefix: '/' };
  if (reader === undefined) return everything;
  const specifier = reader.oneof('path_specifier');
  switch (specifier) {
    case 'prefix':
      return { kind: 'prefix', prefix: reader.string(specifier) };
    case 'path':
      return { kind: 'path', path: reader.string(specifier) };
    case 'safe_regex':
      return { kind: 'safeRegex', pattern: decodeRegex(reader.message(specifier)) };
    case 'connect_matcher':
      return { kind: 'connect' };
    case 'path_separated_prefix':
      return { kind: 'pathSeparatedPrefix', prefix: decodeSeparatedPrefix(reader) };
    case undefined:
      reader.fault('', 'must have one of prefix, path, path_separated_prefix, safe_regex, connect_matcher');
      return everything;
    default:
      reader.refuse(specifier);
      return everything;
  }
}

/** `/api` and not `/api/`: the separator is what the match adds. */
function decodeSeparatedPrefix(reader: MessageReader): string {
  const prefix = reader.string('path_separated_prefix');
  if (!/^[^?#]+[^?#/]$/.test(prefix)) {
    reader.fault('path_separated_prefix', `${JSON.stringify(prefix)} must not end in / nor hold ? or #`);
  }
  return prefix;
}
