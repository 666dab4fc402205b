import type { Fault } from '../../resource/fault.ts';
import type { Secret } from '../../resource/secret.ts';
import {
  type CommonTlsContext,
  type DownstreamTlsContext,
  EMPTY_TLS_CONTEXT,
  type UpstreamTlsContext,
} from '../../resource/transport-socket.ts';
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

/** The same of a secret as it arrives: one that is not good is refused, and the one before it stays. */
export function secretFaults(secret: Secret, wallMs: number): Fault[] {
  switch (secret.kind) {
    case 'tlsCertificate':
      return secretContextFaults({ certificates: [secret.certificate] }, 'tls_certificate', wallMs);
    case 'validationContext':
      return secretContextFaults({ validation: secret.validation }, 'validation_context', wallMs);
    case 'sessionTicketKeys':
      return [];
  }
}

function secretContextFaults(part: Partial<CommonTlsContext>, field: string, wallMs: number): Fault[] {
  const context: UpstreamTlsContext = { kind: 'upstreamTls', common: { ...EMPTY_TLS_CONTEXT, ...part }, sni: '' };
  return tlsContextFaults(context, NONE_YET, wallMs).map((message) => ({ field, message }));
}
