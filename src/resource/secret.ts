import type { CertificateValidation, TlsCertificate } from './transport-socket.ts';

/** envoy.extensions.transport_sockets.tls.v3.Secret: a certificate of ours, or whom to trust. */
export type Secret =
  | { readonly kind: 'tlsCertificate'; readonly name: string; readonly certificate: TlsCertificate }
  | { readonly kind: 'validationContext'; readonly name: string; readonly validation: CertificateValidation }
  /** Keys of session tickets: we give out none. */
  | { readonly kind: 'sessionTicketKeys'; readonly name: string };
