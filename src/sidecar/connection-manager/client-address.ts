import net from 'node:net';
import type { HeaderFields } from '../../http/header-fields.ts';
import type { HttpConnectionManager } from '../../resource/http-connection-manager.ts';

/**
 * Who the client is, as Envoy decides it: with `use_remote_address` the peer, or the entry of X-Forwarded-For that the
 * trusted hops leave; without it the trusted entry of what the caller sent. The peer where no entry is an address.
 */
export function clientAddressOf(manager: HttpConnectionManager, fields: HeaderFields, peerAddress: string): string {
  const { useRemoteAddress, xffNumTrustedHops } = manager;
  if (useRemoteAddress && xffNumTrustedHops === 0) return peerAddress;
  // The peer itself is the first trusted hop where this listener is the edge.
  return forwardedAddress(fields, useRemoteAddress ? xffNumTrustedHops - 1 : xffNumTrustedHops) ?? peerAddress;
}

/** The entry that many places before the last one. */
function forwardedAddress(fields: HeaderFields, fromLast: number): string | undefined {
  const entries: string[] = [];
  for (let at = fields.indexOf('x-forwarded-for'); at >= 0; at = fields.indexOf('x-forwarded-for', at + 1)) {
    entries.push(...fields.valueAt(at).split(','));
  }
  const entry = entries.at(-1 - fromLast)?.trim() ?? '';
  return net.isIP(entry) === 0 ? undefined : entry;
}
