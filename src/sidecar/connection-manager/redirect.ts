import type { RequestHead } from '../../http/head.ts';
import type { RedirectAction } from '../../resource/route-configuration.ts';
import type { CompiledRoute } from '../route/route.ts';

/** Where a redirect action sends a request: the Location value. */
export function redirectLocation(action: RedirectAction, route: CompiledRoute, head: RequestHead): string {
  const scheme = action.httpsRedirect ? 'https' : (action.schemeRedirect ?? head.scheme);
  const [host, port] = splitPort(head.authority);
  const newHost = action.hostRedirect ?? host;
  const isDefault = (scheme === 'http' && port === '80') || (scheme === 'https' && port === '443');
  const keptPort = port === '' || isDefault || scheme !== head.scheme ? '' : `:${port}`;
  const newPort = action.portRedirect === undefined ? keptPort : `:${action.portRedirect}`;
  return `${scheme}://${newHost}${newPort}${redirectPath(action, route, head.path)}`;
}

function redirectPath(action: RedirectAction, route: CompiledRoute, requestPath: string): string {
  const queryAt = requestPath.indexOf('?');
  const path = queryAt < 0 ? requestPath : requestPath.slice(0, queryAt);
  const query = queryAt < 0 || action.stripQuery ? '' : requestPath.slice(queryAt);
  if (action.pathRedirect !== undefined) {
    return action.pathRedirect.includes('?') ? action.pathRedirect : action.pathRedirect + query;
  }
  if (action.prefixRewrite === undefined) return path + query;
  const { path: match } = route.route.match;
  const matched = match.kind === 'prefix' || match.kind === 'pathSeparatedPrefix' ? match.prefix.length : path.length;
  return action.prefixRewrite + path.slice(matched) + query;
}

function splitPort(authority: string): readonly [host: string, port: string] {
  const colon = authority.lastIndexOf(':');
  if (colon <= authority.lastIndexOf(']')) return [authority, ''];
  return [authority.slice(0, colon), authority.slice(colon + 1)];
}
