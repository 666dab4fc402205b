/**
 * Names on which framing, routing or trust rests. A peer may neither have them removed by naming them in Connection
 * (CVE-2024-45410), nor spell them with underscores, nor smuggle them in as trailers (RFC 9110 §6.5.1).
 */
const PROTECTED = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'authorization',
  'proxy-authorization',
  'cookie',
  'set-cookie',
  'forwarded',
  'via',
  'traceparent',
  'tracestate',
  'baggage',
  'x-request-id',
  'x-real-ip',
  'x-consul-token',
]);
const PROTECTED_PREFIXES = ['x-forwarded-', 'x-envoy-', 'x-weft-'];

const NEVER_TRAILERS = new Set([
  'age',
  'cache-control',
  'content-encoding',
  'content-range',
  'content-type',
  'date',
  'expect',
  'expires',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'location',
  'max-forwards',
  'pragma',
  'proxy-authenticate',
  'range',
  'retry-after',
  'trailer',
  'vary',
  'www-authenticate',
]);

const HOP_BY_HOP = new Set(['keep-alive', 'proxy-connection', 'te', 'upgrade', 'http2-settings']);

export function isProtectedName(name: string): boolean {
  return PROTECTED.has(name) || PROTECTED_PREFIXES.some((prefix) => name.startsWith(prefix));
}

/** True for names that some servers would read as one we rely on: `content_length`, `x_forwarded_for`. */
export function aliasesKnownName(name: string): boolean {
  const dashed = name.replaceAll('_', '-');
  return dashed !== name && (isProtectedName(dashed) || HOP_BY_HOP.has(dashed));
}

export function isForbiddenTrailer(name: string): boolean {
  return NEVER_TRAILERS.has(name) || HOP_BY_HOP.has(name) || isProtectedName(name) || aliasesKnownName(name);
}

/** RFC 9110 §7.6.1: fields that never travel beyond one connection, framing included. */
export function isHopByHopName(name: string): boolean {
  return HOP_BY_HOP.has(name) || name === 'connection' || name === 'transfer-encoding' || name === 'content-length';
}
