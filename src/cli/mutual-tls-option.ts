import { isIP } from 'node:net';
import type { MutualTls } from '../control/translate/mutual-tls.ts';
import { UsageError } from './usage-error.ts';

export interface MutualTlsOptions {
  readonly mtls: MutualTls;
  /** Where xDS is served. */
  readonly host: string;
  readonly tlsClientCa: string | undefined;
}

/**
 * Sidecars get their private keys from the control server: only those on its machine without more ado, others where they have
 * proved over TLS which service they are of. A server that other machines reach without that would leave their sidecars waiting
 * for ever.
 */
export function refuseKeysInTheClear({ mtls, host, tlsClientCa }: MutualTlsOptions): void {
  if (mtls === 'off' || isLoopback(host) || tlsClientCa !== undefined) return;
  throw new UsageError(
    `--mtls ${mtls} with --host ${host}: sidecars on other machines would be given no certificates, since private keys do not ` +
      'travel in the clear. Serve xDS over TLS and let sidecars show who they are (--tls-cert, --tls-key, --tls-client-ca), ' +
      'or serve this machine alone (--host 127.0.0.1)',
  );
}

function isLoopback(host: string): boolean {
  if (isIP(host) === 4) return host.startsWith('127.');
  return host === 'localhost' || host === '::1';
}
