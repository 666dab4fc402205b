import net from 'node:net';
import { type Address, addressText } from '../../resource/address.ts';
import type { OriginalDestination } from '../../transport-socket/transport-socket.ts';

interface Addressed {
  readonly listener: { readonly address: Address };
  /** As bound, where the configured one is 0. */
  readonly port: number;
}

/**
 * Which listener a connection to an address belongs to: the one at that very address before the one at all addresses of its
 * family. [::] gets IPv4 where it says `ipv4_compat`.
 */
export class ListenersByAddress<L extends Addressed> {
  readonly #byAddress = new Map<string, L>();

  constructor(listeners: Iterable<L>) {
    for (const listener of listeners) {
      const { address } = listener.listener;
      if (address.kind === 'ip') this.#byAddress.set(keyOf(address.host, listener.port), listener);
    }
    for (const listener of this.#byAddress.values()) {
      const { address } = listener.listener;
      const everything = keyOf('0.0.0.0', listener.port);
      if (takesEveryFamily(address) && !this.#byAddress.has(everything)) this.#byAddress.set(everything, listener);
    }
  }

  get({ host, port }: OriginalDestination): L | undefined {
    const everywhere = net.isIPv6(host) ? '::' : '0.0.0.0';
    return this.#byAddress.get(keyOf(host, port)) ?? this.#byAddress.get(keyOf(everywhere, port));
  }
}

function takesEveryFamily(address: Address): boolean {
  return address.kind === 'ip' && address.ipv4Compat === true && keyOf(address.host, 0) === keyOf('::', 0);
}

/** IPv6 addresses have many spellings. */
function keyOf(host: string, port: number): string {
  const plain = net.isIPv6(host) ? new net.SocketAddress({ address: host, family: 'ipv6' }).address : host;
  return addressText({ kind: 'ip', host: plain, port });
}
