import { BlockList, isIP } from 'node:net';
import type { CidrRange } from '../../../resource/address.ts';
import { MAYBE, type Verdict, verdictOf } from './verdict.ts';

/** Whether an address lies in a range. What is no address (the peer of a Unix socket) decides nothing. */
export function compileAddressRule({ addressPrefix, prefixLength }: CidrRange): (address: string) => Verdict {
  const list = new BlockList();
  list.addSubnet(addressPrefix, prefixLength, addressPrefix.includes(':') ? 'ipv6' : 'ipv4');
  return (address) => {
    const plain = address.replace(/%.*$/, '');
    const family = isIP(plain);
    if (family === 0) return MAYBE;
    // IPv4 that came through a socket of both families (`::ffff:10.0.0.1`) is known to the list.
    return verdictOf(list.check(plain, family === 4 ? 'ipv4' : 'ipv6'));
  };
}
