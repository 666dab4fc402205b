import type { RequestHead } from '../../../http/head.ts';
import type { HashPolicy } from '../../../resource/route-configuration.ts';
import type { RoutedStream } from './routed-stream.ts';

/** What policies look at. */
type HashedStream = Pick<RoutedStream, 'head' | 'downstreamAddress'>;

/**
 * The hash a consistent policy picks by: Envoy's combination (rotate left by one, exclusive or) of the policies that
 * yield a value, stopping after a terminal one. undefined where none does: the balancer then picks at random.
 */
export function requestHash(
  policies: readonly HashPolicy[],
  stream: HashedStream,
  hash64: (text: string) => bigint,
): bigint | undefined {
  let hash: bigint | undefined;
  for (const policy of policies) {
    const text = sourceText(policy.source, stream);
    if (text !== undefined) {
      const next = hash64(text);
      hash = hash === undefined ? next : rotateLeft(hash) ^ next;
      if (policy.terminal) return hash;
    }
  }
  return hash;
}

function sourceText(source: HashPolicy['source'], { head, downstreamAddress }: HashedStream): string | undefined {
  switch (source.kind) {
    case 'header':
      return head.fields.get(source.name);
    case 'cookie':
      return cookieValue(head, source.name);
    case 'sourceIp':
      return downstreamAddress === '' ? undefined : downstreamAddress;
    case 'queryParameter':
      return queryValue(head.path, source.name);
  }
}

function cookieValue(head: RequestHead, name: string): string | undefined {
  const { fields } = head;
  for (let index = fields.indexOf('cookie'); index >= 0; index = fields.indexOf('cookie', index + 1)) {
    for (const pair of fields.valueAt(index).split(';')) {
      const equals = pair.indexOf('=');
      if (equals > 0 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim();
    }
  }
  return undefined;
}

function queryValue(path: string, name: string): string | undefined {
  const queryAt = path.indexOf('?');
  if (queryAt < 0) return undefined;
  for (const pair of path.slice(queryAt + 1).split('&')) {
    const equals = pair.indexOf('=');
    if ((equals < 0 ? pair : pair.slice(0, equals)) === name) return equals < 0 ? '' : pair.slice(equals + 1);
  }
  return undefined;
}

function rotateLeft(value: bigint): bigint {
  return ((value << 1n) | (value >> 63n)) & 0xffff_ffff_ffff_ffffn;
}
