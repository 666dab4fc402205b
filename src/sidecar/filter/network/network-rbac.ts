import type { NetworkFilterConfig } from '../../../resource/filter-config.ts';
import type { TransportFacts } from '../../../transport-socket/transport-socket.ts';
import { RbacEnforcement } from '../rbac/rbac-enforcement.ts';
import type { RbacSubject } from '../rbac/rbac-subject.ts';
import type { NetworkConnection, NetworkFilter, NetworkRefusal } from './network-filter.ts';
import type { NetworkFilterContext } from './network-filter-context.ts';

/** envoy.filters.network.rbac: who may open a connection. Judged before anything is read or dialled. */
export class NetworkRbac implements NetworkFilter {
  readonly #enforcement: RbacEnforcement;

  constructor(config: Extract<NetworkFilterConfig, { readonly kind: 'rbac' }>, context: NetworkFilterContext) {
    const scope = { kind: 'networkRbac', name: config.statPrefix } as const;
    this.#enforcement = new RbacEnforcement(config, context.metrics, scope);
  }

  admit(connection: NetworkConnection): NetworkRefusal | undefined {
    const details = this.#enforcement.refusal(new ConnectionSubject(connection));
    return details === undefined ? undefined : { details, delayMs: 0 };
  }

  stillAdmits(connection: NetworkConnection): boolean {
    return this.#enforcement.refusal(new ConnectionSubject(connection)) === undefined;
  }
}

class ConnectionSubject implements RbacSubject {
  readonly request = undefined;
  readonly #connection: NetworkConnection;

  constructor(connection: NetworkConnection) {
    this.#connection = connection;
  }

  get transport(): TransportFacts {
    return this.#connection.peer.transport;
  }

  get serverName(): string {
    return this.#connection.serverName;
  }

  get directRemoteAddress(): string {
    return this.#connection.peer.directAddress;
  }

  get remoteAddress(): string {
    return this.#connection.peer.address;
  }

  get destinationAddress(): string {
    return this.#connection.peer.ends().destinationAddress;
  }

  get destinationPort(): number {
    return this.#connection.peer.ends().destinationPort;
  }
}
