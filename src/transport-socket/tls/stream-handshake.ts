import type { TLSSocket } from 'node:tls';
import type { TransportFacts } from '../peer-certificate.ts';
import type { TlsFailure } from './peer-verification.ts';
import type { CompiledTls } from './tls-context.ts';
import type { TlsCounters } from './tls-counters.ts';
import { tlsFacts } from './tls-facts.ts';
import { presentedBy } from './tls-socket.ts';

/** How one handshake is made, and who counts it. */
export interface StreamTls {
  /** undefined: its secrets are not there yet, and the handshake fails at once. */
  readonly compiled: CompiledTls | undefined;
  /** In the wire's form (`alpnBytes`); undefined: none is spoken of. */
  readonly alpn: Buffer | undefined;
  readonly counters: TlsCounters;
}

export interface DialledTls extends StreamTls {
  /** The name that is asked for; '' asks for none. */
  readonly sni: string;
}

/** OpenSSL's own word, under which it tells the peer so. */
const NO_PEER_CERTIFICATE = 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE';
const ERROR_CODES: Readonly<Record<TlsFailure['kind'], string>> = {
  noCertificate: 'TLS_NO_CERTIFICATE',
  untrusted: 'TLS_UNTRUSTED',
  sanMismatch: 'TLS_SAN_MISMATCH',
  handshake: 'TLS_HANDSHAKE',
};

/**
 *     under way ──→ settled        the peer is verified, its facts are known
 *         └───────→ failed         with a reason, counted once
 */
export class StreamHandshake {
  /** Nothing is written, and nobody hears anything but the outcome. */
  isUnderWay = true;
  failure: TlsFailure | undefined = undefined;
  readonly #counters: TlsCounters;

  constructor(counters: TlsCounters) {
    this.#counters = counters;
  }

  /** The handshake is over: whether the peer is wanted is decided here. undefined: it is not. */
  settle(socket: TLSSocket, { verification, localUriNames }: CompiledTls): TransportFacts | undefined {
    const verdict = verification.judge(presentedBy(socket));
    if (verdict.kind === 'refused') {
      this.#fail(verdict.failure);
      return undefined;
    }
    this.isUnderWay = false;
    const facts = tlsFacts(socket, verdict.peer, localUriNames);
    this.#counters.succeeded(facts.tlsVersion, verdict.peer !== undefined);
    return facts;
  }

  refuseForSecrets(): void {
    this.failure = { kind: 'handshake', message: 'the secrets of the TLS context have not come yet' };
    this.#counters.secretsNotReady.increment();
  }

  /**
   * What the close of the stream is called. In the middle of a handshake it was a failure, unless it never reached the peer,
   * which is no affair of TLS; after it, an error of OpenSSL's is one of the connection.
   */
  closed(errorCode: string): string {
    if (!this.isUnderWay) {
      if (errorCode.startsWith('ERR_SSL_')) this.#counters.connectionError.increment();
      return errorCode;
    }
    if (this.failure === undefined) this.#nameFailure(errorCode);
    return this.failure === undefined || errorCode !== '' ? errorCode : ERROR_CODES[this.failure.kind];
  }

  #nameFailure(code: string): void {
    if (code === NO_PEER_CERTIFICATE) {
      this.#fail({ kind: 'noCertificate', message: 'the peer has shown no certificate, and one is required' });
    } else if (code === '' || code.startsWith('ERR_SSL_') || code === 'ECONNRESET' || code === 'EPIPE') {
      this.#fail({ kind: 'handshake', message: code === '' ? 'the connection was closed during the handshake' : code });
    }
  }

  #fail(failure: TlsFailure): void {
    this.failure = failure;
    this.#counters.failed(failure);
  }
}
