import type { Counter, MetricsRegistry } from '../../telemetry/metrics/metrics.ts';
import type { TlsFailure } from './peer-verification.ts';

/** What the TLS connections of one listener or cluster count, under Envoy's names. */
export class TlsCounters {
  readonly handshake: Counter;
  /** Failures that are not the certificate's. */
  readonly connectionError: Counter;
  readonly noCertificate: Counter;
  readonly failVerifyNoCert: Counter;
  readonly failVerifyError: Counter;
  readonly failVerifySan: Counter;
  readonly handshakeTimeout: Counter;
  readonly handshakeOverflow: Counter;
  readonly secretsNotReady: Counter;
  readonly #versions: ReadonlyMap<string, Counter>;

  constructor(registry: MetricsRegistry, scope: { readonly kind: 'listener' | 'cluster'; readonly name: string }) {
    const counter = (name: string): Counter => registry.counter(scope, `ssl.${name}`);
    this.handshake = counter('handshake');
    this.connectionError = counter('connection_error');
    this.noCertificate = counter('no_certificate');
    this.failVerifyNoCert = counter('fail_verify_no_cert');
    this.failVerifyError = counter('fail_verify_error');
    this.failVerifySan = counter('fail_verify_san');
    this.handshakeTimeout = counter('handshake_timeout');
    this.handshakeOverflow = counter('handshake_overflow');
    this.secretsNotReady = counter('secrets_not_ready');
    this.#versions = new Map(['TLSv1.2', 'TLSv1.3'].map((version) => [version, counter(`versions.${version}`)]));
  }

  succeeded(version: string, hasPeerCertificate: boolean): void {
    this.handshake.increment();
    if (!hasPeerCertificate) this.noCertificate.increment();
    this.#versions.get(version)?.increment();
  }

  failed({ kind }: TlsFailure): void {
    switch (kind) {
      case 'noCertificate':
        this.failVerifyNoCert.increment();
        return;
      case 'untrusted':
        this.failVerifyError.increment();
        return;
      case 'sanMismatch':
        this.failVerifySan.increment();
        return;
      case 'handshake':
        this.connectionError.increment();
    }
  }
}
