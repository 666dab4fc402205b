import { encodeRequestHead, NonCanonicalHeadError } from '../../../http/http1/http1.ts';
import { type ProxyProtocolVersion, proxyHeaderText } from '../../../transport-socket/transport-socket.ts';
import type { Host } from '../../cluster/cluster.ts';
import type { CompiledRoute } from '../../route/route.ts';
import type { RoutedStream } from './routed-stream.ts';

const KEEP_ALIVE = { keepAlive: true, upgrade: '' };

/**
 * The head of one attempt as text, with the PROXY header of its connection in front where the cluster wants one; undefined
 * where mutations or rewrites make one that cannot be written.
 */
export function attemptHead(
  stream: RoutedStream,
  route: CompiledRoute,
  host: Host,
  path: string,
  proxyProtocol: ProxyProtocolVersion | undefined,
): string | undefined {
  const { head, requestEdits } = stream;
  const authority = route.rewriteAuthority(head, host.endpoint.hostname);
  const line = { method: head.method, path, authority };
  const options = head.upgrade === '' ? KEEP_ALIVE : { keepAlive: true, upgrade: head.upgrade };
  try {
    const text = encodeRequestHead(head, requestEdits, line, head.bodyLength, options);
    return proxyProtocol === undefined ? text : proxyHeaderText(proxyProtocol, stream.downstreamEnds) + text;
  } catch (error) {
    if (error instanceof NonCanonicalHeadError) return undefined;
    throw error;
  }
}
