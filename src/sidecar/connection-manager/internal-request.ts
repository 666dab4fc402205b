import { BlockList, isIP } from 'node:net';
import type { HttpConnectionManager } from '../../resource/http-connection-manager.ts';
import type { FilterStream } from '../filter/filter.ts';

/**
 * Whether a request comes from an address of `internal_address_config`, as Envoy decides it: what came over several proxies
 * is not internal, and without that configuration nothing is, however private the address.
 */
export function internalTest({
  internalAddresses,
  useRemoteAddress,
}: HttpConnectionManager): (stream: FilterStream) => boolean {
  const { cidrRanges, unixSockets } = internalAddresses;
  if (cidrRanges.length === 0 && !unixSockets) return () => false;
  const list = new BlockList();
  for (const { addressPrefix, prefixLength } of cidrRanges) {
    list.addSubnet(addressPrefix, prefixLength, addressPrefix.includes(':') ? 'ipv6' : 'ipv4');
  }
  return ({ head, peer }) => {
    const { fields } = head;
    const at = fields.indexOf('x-forwarded-for');
    if (useRemoteAddress ? at >= 0 : at < 0 || fields.indexOf('x-forwarded-for', at + 1) >= 0) return false;
    const address = (useRemoteAddress ? peer.address : fields.valueAt(at)).replace(/%.*$/, '');
    const family = isIP(address);
    if (family === 0) return useRemoteAddress && unixSockets;
    return list.check(address, family === 4 ? 'ipv4' : 'ipv6');
  };
}
