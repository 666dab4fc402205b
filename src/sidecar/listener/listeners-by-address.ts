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
 * family. What listens on [::] gets IPv4 too.
 */
export class ListenersByAddress<L extends Addressed> {
  readonly #byAddress = new Map<string, L>();

  constructor(listeners: Iterable<L>) {
    for (const listener of listeners) {
      const { address } = listener.listener;
      if (address.kind === 'ip') this.#byAddress.set(keyOf(address.host, listener.port), listener);
    }
  }

  get({ host, port }: OriginalDestination): L | undefined {
    for (const candidate of [host, ...(net.isIPv6(host) ? [] : ['0.0.0.0']), '::']) {
      const listener = this.#byAddress.get(keyOf(candidate, port));
      if (listener !== undefined) return listener;
    }
    return undefined;
  }
}

/** IPv6 addresses have many spellings. */
function keyOf(host: string, port: number): string {
  const plain = net.isIPv6(host) ? new net.SocketAddress({ address: host, family: 'ipv6' }).address : host;
  return addressText({ kind: 'ip', host: plain, port });
}
