/** Protocols whose requests are routed one by one; all others are carried as bytes. */
const HTTP_LIKE: ReadonlySet<string> = new Set(['http', 'http2', 'grpc']);

export function isHttpLike(protocol: string): boolean {
  return HTTP_LIKE.has(protocol);
}
