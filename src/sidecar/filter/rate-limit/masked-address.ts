import { isIP, SocketAddress } from 'node:net';

const GROUPS = 8;
const GROUP_BITS = 16;

/** `192.168.1.77` of 24 bits is `192.168.1.0/24`, as Envoy writes it; undefined for what is no address. */
export function maskedAddress(address: string, v4PrefixLength: number, v6PrefixLength: number): string | undefined {
  const plain = address.replace(/%.*$/, '');
  switch (isIP(plain)) {
    case 4:
      return `${masked(plain.split('.').map(Number), 8, v4PrefixLength).join('.')}/${v4PrefixLength}`;
    case 6: {
      const groups = masked(groupsOf(plain), GROUP_BITS, v6PrefixLength).map((group) => group.toString(16));
      // Written out in RFC 5952's shortest form.
      return `${new SocketAddress({ address: groups.join(':'), family: 'ipv6' }).address}/${v6PrefixLength}`;
    }
    default:
      return undefined;
  }
}

function masked(parts: readonly number[], bitsEach: number, prefixLength: number): number[] {
  return parts.map((part, index) => {
    const kept = Math.min(Math.max(prefixLength - index * bitsEach, 0), bitsEach);
    const dropped = bitsEach - kept;
    return (part >> dropped) << dropped;
  });
}

/** The eight groups of an IPv6 address; a dotted end counts for two. */
function groupsOf(address: string): number[] {
  const [head = '', tail = ''] = address.split('::');
  const before = partsOf(head);
  const after = partsOf(tail);
  const zeros = new Array<number>(GROUPS - before.length - after.length).fill(0);
  return [...before, ...zeros, ...after];
}

function partsOf(half: string): number[] {
  if (half === '') return [];
  return half.split(':').flatMap((part) => {
    if (!part.includes('.')) return Number.parseInt(part, 16);
    const [a = 0, b = 0, c = 0, d = 0] = part.split('.').map(Number);
    return [a * 256 + b, c * 256 + d];
  });
}
