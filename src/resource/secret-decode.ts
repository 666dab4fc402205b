import type { MessageReader } from './message-reader.ts';
import type { Secret } from './secret.ts';
import { decodeCertificateValidation, decodeTlsCertificate } from './tls-context-decode.ts';

export const SECRET_MESSAGE = 'envoy.extensions.transport_sockets.tls.v3.Secret';

/** envoy.extensions.transport_sockets.tls.v3.Secret. */
export function decodeSecret(reader: MessageReader): Secret {
  const name = reader.string('name');
  const kind = reader.oneof('type');
  const content = kind === undefined ? undefined : reader.message(kind);
  if (kind === 'tls_certificate' && content !== undefined) {
    const certificate = decodeTlsCertificate(content) ?? NO_CERTIFICATE;
    return { kind: 'tlsCertificate', name, certificate };
  }
  if (kind === 'validation_context' && content !== undefined) {
    return { kind: 'validationContext', name, validation: decodeCertificateValidation(content) };
  }
  if (kind === undefined) reader.fault('', 'must have one of tls_certificate, validation_context');
  else if (kind !== 'session_ticket_keys') reader.refuse(kind);
  return { kind: 'sessionTicketKeys', name };
}

/** Stands where a fault has already refused the secret. */
const NO_CERTIFICATE = {
  certificateChain: { kind: 'inline', text: '' },
  privateKey: { kind: 'inline', text: '' },
} as const;
