import type { Fault } from '../../resource/fault.ts';
import type { DownstreamTlsContext, UpstreamTlsContext } from '../../resource/transport-socket.ts';
import { TlsMaterials, tlsContextFaults } from '../../transport-socket/transport-socket.ts';

/** Secrets and files are looked at when they come: what waits for them is no fault yet. */
const NONE_YET = new TlsMaterials();

/** What keeps a TLS context from ever being used: a key of another certificate, one that has expired, unknown ciphers. */
export function tlsFaults(context: DownstreamTlsContext | UpstreamTlsContext, field: string, wallMs: number): Fault[] {
  return tlsContextFaults(context, NONE_YET, wallMs).map((message) => ({
    field: `${field}.common_tls_context`,
    message,
  }));
}
