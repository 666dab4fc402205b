import { encodeRequestHead, NonCanonicalHeadError } from '../../../http/http1/http1.ts';
import type { Host } from '../../cluster/cluster.ts';
import type { CompiledRoute } from '../../route/route.ts';
import type { RoutedStream } from './routed-stream.ts';

const KEEP_ALIVE = { keepAlive: true, upgrade: '' };

/** The head of one attempt as text; undefined where mutations or rewrites make one that cannot be written. */
export function attemptHead(stream: RoutedStream, route: CompiledRoute, host: Host, path: string): string | undefined {
  const { head, requestEdits } = stream;
  const authority = route.rewriteAuthority(head, host.endpoint.hostname);
  const line = { method: head.method, path, authority };
  const options = head.upgrade === '' ? KEEP_ALIVE : { keepAlive: true, upgrade: head.upgrade };
  try {
    return encodeRequestHead(head, requestEdits, line, head.bodyLength, options);
  } catch (error) {
    if (error instanceof NonCanonicalHeadError) return undefined;
    throw error;
  }
}
