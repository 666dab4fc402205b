import type { ByteStream } from './byte-stream.ts';
import type { ProxiedAddresses } from './proxy-protocol.ts';

/** Who speaks with whom over a stream, as a PROXY header says it. */
export function endsOf(stream: ByteStream): ProxiedAddresses {
  return {
    sourceAddress: stream.remoteAddress,
    sourcePort: stream.remotePort,
    destinationAddress: stream.localAddress,
    destinationPort: stream.localPort,
  };
}
