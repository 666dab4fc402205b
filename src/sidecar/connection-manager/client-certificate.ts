import type { HeaderEdits } from '../../http/header-edits.ts';
import type { HeaderFields } from '../../http/header-fields.ts';
import type { ClientCertDetails, HttpConnectionManager } from '../../resource/http-connection-manager.ts';
import type { PeerCertificate, TransportFacts } from '../../transport-socket/transport-socket.ts';

const FIELD = 'x-forwarded-client-cert';

/**
 * Envoy's `forward_client_cert_details`. What a caller says of certificates is believed only where the caller has proved
 * itself who it is; what we say is of the certificate that was verified, never of names that were merely sent.
 */
export function forwardClientCertificate(
  manager: HttpConnectionManager,
  transport: TransportFacts,
  fields: HeaderFields,
  edits: HeaderEdits,
): void {
  const mode = manager.forwardClientCertDetails;
  if (mode === 'alwaysForwardOnly') return;
  const { peerCertificate } = transport;
  const at = fields.indexOf(FIELD);
  if (mode === 'sanitize' || peerCertificate === undefined) {
    if (at >= 0) edits.remove(fields, FIELD);
    return;
  }
  if (mode === 'forwardOnly') return;
  const element = elementOf(peerCertificate, transport.localUriNames, manager.currentClientCertDetails);
  const known = mode === 'appendForward' && at >= 0 ? `${allValues(fields, at)},` : '';
  edits.set(fields, FIELD, known + element);
}

function allValues(fields: HeaderFields, first: number): string {
  let values = fields.valueAt(first);
  for (let next = fields.indexOf(FIELD, first + 1); next >= 0; next = fields.indexOf(FIELD, next + 1)) {
    values += `,${fields.valueAt(next)}`;
  }
  return values;
}

/** One certificate serves all requests of its connection, under one configuration. */
const lastElements = new WeakMap<PeerCertificate, { readonly details: ClientCertDetails; readonly text: string }>();

function elementOf(certificate: PeerCertificate, localUriNames: readonly string[], details: ClientCertDetails): string {
  const known = lastElements.get(certificate);
  if (known?.details === details) return known.text;
  const text = elementText(certificate, localUriNames, details);
  lastElements.set(certificate, { details, text });
  return text;
}

/** In Envoy's order: who received it, which certificate, and what was asked to be told of it. */
function elementText(
  certificate: PeerCertificate,
  localUriNames: readonly string[],
  details: ClientCertDetails,
): string {
  const { sha256Fingerprint, pem, chainPem, subject, uriNames, dnsNames } = certificate;
  const parts = [...localUriNames.map((uri) => `By=${plain(uri)}`), `Hash=${sha256Fingerprint}`];
  if (details.cert) parts.push(`Cert="${encodedPem(pem)}"`);
  if (details.chain) parts.push(`Chain="${encodedPem(chainPem)}"`);
  if (details.subject) parts.push(`Subject="${visible(subject)}"`);
  if (details.uri) parts.push(...(uriNames.length === 0 ? ['URI='] : uriNames.map((uri) => `URI=${plain(uri)}`)));
  if (details.dns) parts.push(...dnsNames.map((name) => `DNS=${plain(name)}`));
  return parts.join(';');
}

/** What would end the value and begin another is quoted, so that a name cannot speak for other names. */
function plain(name: string): string {
  return /[,;="]/.test(name) ? `"${name.replaceAll('"', '\\"')}"` : name;
}

/** RFC 2253 has escaped quotes; what else may not stand in a header is written as a question mark. */
function visible(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?');
}

const PEM_ESCAPES: Readonly<Record<string, string>> = {
  '\n': '%0A',
  '\r': '',
  ' ': '%20',
  '+': '%2B',
  '/': '%2F',
  '=': '%3D',
};

function encodedPem(pem: string): string {
  return pem.replace(/[\n\r +/=]/g, (character) => PEM_ESCAPES[character] ?? '');
}
