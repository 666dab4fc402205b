import { ChangedRequestHead } from '../../http/changed-head.ts';
import type { RequestHead } from '../../http/head.ts';
import type { HttpConnectionManager } from '../../resource/http-connection-manager.ts';

/**
 * The head as the rest of the chain is to see it: the same object where nothing changes, undefined where the path must be
 * refused. Envoy's `normalize_path`, `merge_slashes`, `path_with_escaped_slashes_action` and `strip_*_host_port`.
 */
export function effectiveHead(
  manager: HttpConnectionManager,
  head: RequestHead,
  listenerPort: number,
): RequestHead | undefined {
  const path = normalizePath(manager, head.path);
  if (path === undefined) return undefined;
  const authority = stripPort(manager.stripPortFromHost, head.authority, listenerPort);
  return path === head.path && authority === head.authority ? head : new ChangedRequestHead(head, { path, authority });
}

function normalizePath(manager: HttpConnectionManager, requestPath: string): string | undefined {
  if (requestPath.charCodeAt(0) !== 0x2f) return requestPath;
  const queryAt = requestPath.indexOf('?');
  const query = queryAt < 0 ? '' : requestPath.slice(queryAt);
  let path = queryAt < 0 ? requestPath : requestPath.slice(0, queryAt);
  if (/%(?:2f|5c)/i.test(path)) {
    const action = manager.pathWithEscapedSlashesAction;
    if (action === 'rejectRequest') return undefined;
    if (action !== 'keepUnchanged') path = path.replaceAll(/%2f|%5c/gi, '/');
  }
  if (manager.normalizePath) {
    const normal = removeDotSegments(path);
    if (normal === undefined) return undefined;
    path = normal;
  }
  if (manager.mergeSlashes) path = path.replaceAll(/\/{2,}/g, '/');
  return path + query;
}

/** RFC 3986 §6.2.2 and §5.2.4: unreserved escapes decoded, `\` read as `/`, dot segments removed. Climbing out is refused. */
function removeDotSegments(path: string): string | undefined {
  if (/%00/.test(path)) return undefined;
  const plain = path
    .replaceAll(/%([0-9a-f]{2})/gi, (escaped, digits: string) => {
      const character = String.fromCharCode(Number.parseInt(digits, 16));
      return /[A-Za-z0-9\-._~]/.test(character) ? character : escaped.toUpperCase();
    })
    .replaceAll('\\', '/');
  const kept: string[] = [];
  const segments = plain.split('/').slice(1);
  for (const [index, segment] of segments.entries()) {
    const isLast = index === segments.length - 1;
    if (segment === '..') {
      if (kept.pop() === undefined) return undefined;
      if (isLast) kept.push('');
    } else if (segment === '.') {
      if (isLast) kept.push('');
    } else kept.push(segment);
  }
  return `/${kept.join('/')}`;
}

function stripPort(mode: HttpConnectionManager['stripPortFromHost'], authority: string, listenerPort: number): string {
  if (mode === 'never') return authority;
  const colon = authority.lastIndexOf(':');
  if (colon <= authority.lastIndexOf(']')) return authority;
  const isMatching = Number(authority.slice(colon + 1)) === listenerPort;
  return mode === 'any' || isMatching ? authority.slice(0, colon) : authority;
}
