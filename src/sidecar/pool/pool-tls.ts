import {
  alpnBytes,
  type DialledTls,
  type TlsContext,
  type TlsCounters,
} from '../../transport-socket/transport-socket.ts';

/** How the connections of a pool are secured. */
export interface PoolTls {
  readonly context: TlsContext;
  readonly counters: TlsCounters;
  readonly sni: string;
  /** `alpn_protocols` as configured, in the wire's form; undefined: what the pool speaks is offered. */
  readonly alpn: Buffer | undefined;
}

/** What a pool offers where nothing is configured, as Envoy does. */
export const HTTP1_ALPN = alpnBytes(['http/1.1']);
export const HTTP2_ALPN = alpnBytes(['h2']);
export const EITHER_ALPN = alpnBytes(['h2', 'http/1.1']);

/** For one connection: the newest certificate, and the pool's own protocol where none is configured. */
export function dialledTls(tls: PoolTls | undefined, fallbackAlpn: Buffer | undefined): DialledTls | undefined {
  if (tls === undefined) return undefined;
  const { context, counters, sni, alpn } = tls;
  return { compiled: context.current(), counters, sni, alpn: alpn ?? fallbackAlpn };
}
