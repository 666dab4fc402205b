import type { ByteStream } from '../../transport-socket/transport-socket.ts';
import type { ConnectionFacts } from './filter-chain-criteria.ts';
import type { InspectedFacts } from './listener-filters.ts';

/** Asked only for what some chain's match wants to know: the socket's ends are a system call away. */
export class StreamFacts implements ConnectionFacts {
  readonly #stream: ByteStream;
  readonly #inspected: InspectedFacts;

  constructor(stream: ByteStream, inspected: InspectedFacts) {
    this.#stream = stream;
    this.#inspected = inspected;
  }

  get localAddress(): string {
    return this.#stream.localAddress;
  }

  get localPort(): number {
    return this.#stream.localPort;
  }

  get serverName(): string {
    return this.#inspected.serverName;
  }

  get transportProtocol(): 'raw_buffer' | 'tls' {
    return this.#inspected.transportProtocol;
  }

  get applicationProtocols(): readonly string[] {
    return this.#inspected.applicationProtocols;
  }

  get directRemoteAddress(): string {
    return this.#stream.directRemoteAddress;
  }

  get remoteAddress(): string {
    return this.#stream.remoteAddress;
  }

  get remotePort(): number {
    return this.#stream.remotePort;
  }
}
