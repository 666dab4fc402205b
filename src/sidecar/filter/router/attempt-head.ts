import { NonCanonicalHeadError } from '../../../http/http1/http1.ts';
import { type ProxyProtocolVersion, proxyHeaderText } from '../../../transport-socket/transport-socket.ts';
import type { Host } from '../../cluster/cluster.ts';
import type { UpstreamExchange, UpstreamRequestLine, UpstreamSink } from '../../pool/pool.ts';
import type { CompiledRoute } from '../../route/route.ts';
import type { RoutedStream } from './routed-stream.ts';

/** The request line of one attempt, as the route rewrites it. One per stream, filled anew for each attempt. */
export class AttemptLine implements UpstreamRequestLine {
  method = '';
  path = '';
  authority = '';
  scheme: 'http' | 'https' = 'http';
  upgrade = '';

  fill(stream: RoutedStream, route: CompiledRoute, host: Host, path: string): this {
    const { head } = stream;
    this.method = head.method;
    this.path = path;
    this.authority = route.rewriteAuthority(head, host.endpoint.hostname);
    this.scheme = head.scheme;
    this.upgrade = head.upgrade;
    return this;
  }
}

/**
 * Sends the head, behind the PROXY header of its connection where the cluster wants one. False where mutations or rewrites
 * make a head that cannot be written: then nothing was.
 */
export function tryStart(
  exchange: UpstreamExchange,
  sink: UpstreamSink,
  stream: RoutedStream,
  line: UpstreamRequestLine,
  proxyProtocol: ProxyProtocolVersion | undefined,
): boolean {
  const prefix = proxyProtocol === undefined ? '' : proxyHeaderText(proxyProtocol, stream.downstreamEnds);
  try {
    exchange.startRequest(sink, stream.head, stream.requestEdits, line, prefix);
    return true;
  } catch (error) {
    if (error instanceof NonCanonicalHeadError) return false;
    throw error;
  }
}
