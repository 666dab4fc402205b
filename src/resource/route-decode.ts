import { decodeDataSource } from './data-source-decode.ts';
import { decodeFilterMetadata, decodeTypedPerFilterConfig } from './extension-decode.ts';
import { checkGrpcLimits } from './grpc-limits.ts';
import { decodeHeaderMutations } from './header-mutation-decode.ts';
import type { MessageReader } from './message-reader.ts';
import { decodeRouteAction } from './route-action-decode.ts';
import type { DirectResponseAction, RedirectAction, RequestMirrorPolicy, Route } from './route-configuration.ts';
import { decodeRouteMatch } from './route-match-decode.ts';

/** What a route takes from the levels above it. */
export interface RouteInheritance {
  readonly mirrorPolicies: readonly RequestMirrorPolicy[];
  readonly maxDirectResponseBodyBytes: number;
}

/** envoy.config.route.v3.Route. `decorator`, `tracing` and `stat_prefix` only name and sample things; they are read past. */
export function decodeRoute(reader: MessageReader, inheritance: RouteInheritance): Route {
  const metadata = decodeFilterMetadata(reader.message('metadata'));
  checkGrpcLimits(reader, metadata);
  return {
    name: reader.string('name'),
    match: decodeRouteMatch(reader.requiredMessage('match')),
    action: decodeAction(reader, inheritance),
    headers: decodeHeaderMutations(reader),
    typedPerFilterConfig: decodeTypedPerFilterConfig(reader),
    metadata,
  };
}

function decodeAction(reader: MessageReader, inheritance: RouteInheritance): Route['action'] {
  const specifier = reader.oneof('action');
  const specified = specifier === undefined ? undefined : reader.message(specifier);
  if (specifier === undefined || specified === undefined) {
    reader.fault('', 'must have one of route, redirect, direct_response');
    return { kind: 'directResponse', status: 500, body: '' };
  }
  switch (specifier) {
    case 'route':
      return decodeRouteAction(specified, inheritance.mirrorPolicies);
    case 'redirect':
      return decodeRedirect(specified);
    case 'direct_response':
      return decodeDirectResponse(specified, inheritance.maxDirectResponseBodyBytes);
    default:
      reader.refuse(specifier);
      return { kind: 'directResponse', status: 500, body: '' };
  }
}

const REDIRECT_CODES = {
  MOVED_PERMANENTLY: 301,
  FOUND: 302,
  SEE_OTHER: 303,
  TEMPORARY_REDIRECT: 307,
  PERMANENT_REDIRECT: 308,
} as const;

function decodeRedirect(reader: MessageReader): RedirectAction {
  reader.refuse('regex_rewrite');
  const port = reader.number('port_redirect');
  if (port > 65535) reader.fault('port_redirect', `must be at most 65535, not ${port}`);
  return {
    kind: 'redirect',
    responseCode: reader.choice('response_code', REDIRECT_CODES, 301),
    hostRedirect: headerSafe(reader, 'host_redirect'),
    portRedirect: port === 0 ? undefined : port,
    pathRedirect: headerSafe(reader, 'path_redirect'),
    prefixRewrite: reader.has('prefix_rewrite') ? (headerSafe(reader, 'prefix_rewrite') ?? '') : undefined,
    schemeRedirect: headerSafe(reader, 'scheme_redirect'),
    httpsRedirect: reader.boolean('https_redirect'),
    stripQuery: reader.boolean('strip_query'),
  };
}

/** Text that ends up in a `location` header; undefined where empty. */
function headerSafe(reader: MessageReader, name: string): string | undefined {
  const value = reader.string(name);
  if (/[\r\n\0]/.test(value)) reader.fault(name, 'must not hold CR, LF or NUL');
  return value === '' ? undefined : value;
}

function decodeDirectResponse(reader: MessageReader, maxBodyBytes: number): DirectResponseAction {
  const status = reader.number('status');
  if (status < 200 || status > 599) reader.fault('status', `must be from 200 to 599, not ${status}`);
  const body = decodeDataSource(reader.message('body')) ?? '';
  const bodyBytes = Buffer.byteLength(body);
  if (bodyBytes > maxBodyBytes) reader.fault('body', `has ${bodyBytes} bytes; at most ${maxBodyBytes} are allowed`);
  return { kind: 'directResponse', status, body };
}
