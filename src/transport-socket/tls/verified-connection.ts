import net from 'node:net';
import tls from 'node:tls';
import type { Address } from '../../resource/address.ts';
import type { CompiledTls } from './tls-context.ts';
import { presentedBy } from './tls-socket.ts';

export interface VerifiedConnectionOptions {
  readonly address: Address;
  readonly compiled: CompiledTls;
  readonly alpn: Buffer | undefined;
  /** '' sends none. */
  readonly sni: string;
  readonly timeoutMs: number;
}

/**
 * A connection for whoever wants a Node stream, off the data path: health checks. Resolves when the handshake is over and the
 * peer is who it should be, so that nothing is ever said to somebody else; rejects with the reason.
 */
export function verifiedConnection(options: VerifiedConnectionOptions): Promise<tls.TLSSocket> {
  const { address, compiled, alpn, sni, timeoutMs } = options;
  return new Promise((resolve, reject) => {
    const socket = tls.connect({
      ...(address.kind === 'pipe' ? { path: address.path } : { host: address.host, port: address.port }),
      secureContext: compiled.secureContext,
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
      ...(sni === '' || net.isIP(sni) !== 0 ? {} : { servername: sni }),
      ...(alpn === undefined ? {} : { ALPNProtocols: alpn }),
    });
    const timer = setTimeout(() => socket.destroy(new Error('no handshake in time')), timeoutMs);
    socket.once('error', reject);
    socket.once('close', () => {
      clearTimeout(timer);
      reject(new Error('the connection was closed during the handshake'));
    });
    socket.once('secureConnect', () => {
      clearTimeout(timer);
      try {
        const verdict = compiled.verification.judge(presentedBy(socket));
        if (verdict.kind === 'accepted') resolve(socket);
        else socket.destroy(new Error(verdict.failure.message));
      } catch (error) {
        socket.destroy(new Error('the peer cannot be verified', { cause: error }));
      }
    });
  });
}
