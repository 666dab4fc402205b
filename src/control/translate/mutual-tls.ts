import { type EntryOrigin, originText, type ProxyRegistration } from './catalog.ts';
import type { ConfigEntries } from './config-entries.ts';
import type { ServiceIntentions } from './intentions.ts';
import { type Problem, warningAt } from './problem.ts';

/**
 * `weft control --mtls`: whether sidecars prove to each other who they are. `off` is plaintext; `strict` is mutual TLS
 * everywhere, as in Consul's own mesh; `permissive` is mutual TLS between sidecars that also let in callers in plaintext, for
 * the time in which a mesh moves from one to the other.
 */
export const MUTUAL_TLS_MODES = ['off', 'permissive', 'strict'] as const;
export type MutualTls = (typeof MUTUAL_TLS_MODES)[number];

/** What mutual TLS of one sidecar is made of. */
export interface MutualTlsTerms {
  readonly mode: Exclude<MutualTls, 'off'>;
  /** About the sidecar's own service; undefined where they cannot be read: nobody is let in then. */
  readonly intentions: ServiceIntentions | undefined;
}

/** Consul's precedence: the registration, the service's defaults, the mesh's defaults; then the server's own mode. */
export function inboundMode(
  { mutualTlsMode, destinationService }: ProxyRegistration,
  { serviceDefaults, proxyDefaults }: ConfigEntries,
  { mode }: MutualTlsTerms,
): 'permissive' | 'strict' {
  const written =
    mutualTlsMode || serviceDefaults.get(destinationService)?.mutualTlsMode || proxyDefaults?.mutualTlsMode;
  return written || mode;
}

/** What entries say of TLS while there is none: nobody may take it for obeyed. */
export function unobeyedTls({ mesh, proxyDefaults }: ConfigEntries, mode: MutualTls): readonly Problem[] {
  if (mode !== 'off') return [];
  return [
    ...(mesh?.tls === undefined ? [] : [notObeyed(mesh.origin, 'TLS')]),
    ...(proxyDefaults === undefined || proxyDefaults.mutualTlsMode === ''
      ? []
      : [notObeyed(proxyDefaults.origin, 'MutualTLSMode')]),
  ];
}

/** The same of one service and of one registration. */
export function unobeyedModes(
  { id, mutualTlsMode, destinationService }: ProxyRegistration,
  { serviceDefaults }: ConfigEntries,
): readonly Problem[] {
  const defaults = serviceDefaults.get(destinationService);
  const where = `registration ${id}`;
  return [
    ...(mutualTlsMode === '' ? [] : [warningAt(where, textOf('proxy.mutual_tls_mode'))]),
    ...(defaults === undefined || defaults.mutualTlsMode === '' ? [] : [notObeyed(defaults.origin, 'MutualTLSMode')]),
  ];
}

function notObeyed(origin: EntryOrigin, field: string): Problem {
  return warningAt(originText(origin), textOf(field));
}

function textOf(field: string): string {
  return `"${field}" is set and not obeyed: sidecars speak plaintext until the control server runs with --mtls`;
}
