import { X509Certificate } from 'node:crypto';
import type { SecureContext } from 'node:tls';
import type { CommonTlsContext, DownstreamTlsContext, UpstreamTlsContext } from '../../resource/transport-socket.ts';
import { readCertificateExtensions } from './certificate-extensions.ts';
import { PeerVerification } from './peer-verification.ts';
import { certificatesIn, compileSecureContext, secureContextFaults } from './secure-context.ts';
import type { Resolution, ResolvedTls, TlsMaterials } from './tls-materials.ts';

/** A TLS context made ready: what one handshake runs with from beginning to end. */
export interface CompiledTls {
  readonly secureContext: SecureContext;
  readonly verification: PeerVerification;
  /** Whether the peer is asked for a certificate, and whether it must have one. */
  readonly requestsCertificate: boolean;
  readonly requiresCertificate: boolean;
  /** URI names of the certificate that we show. */
  readonly localUriNames: readonly string[];
}

/**
 * A TLS context over the life of its configuration. Compiled when a handshake needs it, and again when a secret or file that
 * it uses has changed: handshakes that come later get the new one, connections keep what they were made with.
 */
export class TlsContext {
  readonly #context: DownstreamTlsContext | UpstreamTlsContext;
  readonly #materials: TlsMaterials;
  #compiled: CompiledTls | undefined = undefined;
  #compiledOf = '';
  #seenVersion = -1;
  #problem = '';
  #isAwaitingSecrets = false;

  constructor(context: DownstreamTlsContext | UpstreamTlsContext, materials: TlsMaterials) {
    this.#context = context;
    this.#materials = materials;
  }

  get common(): CommonTlsContext {
    return this.#context.common;
  }

  /** Why there is nothing newer, or nothing at all; '' where all is well. */
  get problem(): string {
    return this.#problem;
  }

  /** What it needs is still to come: no fault of its own. */
  get isAwaitingSecrets(): boolean {
    return this.#isAwaitingSecrets;
  }

  /** undefined: a secret has not come yet. What was once there stays in force until something better comes. */
  current(): CompiledTls | undefined {
    if (this.#seenVersion !== this.#materials.version) this.#refresh();
    return this.#compiled;
  }

  #refresh(): void {
    this.#seenVersion = this.#materials.version;
    const resolution = this.#materials.resolve(this.#context.common);
    this.#isAwaitingSecrets = resolution.kind === 'missing';
    if (resolution.kind === 'missing') {
      this.#problem = `waits for ${resolution.names.join(', ')}`;
      return;
    }
    const identity = JSON.stringify(resolution.tls);
    if (identity === this.#compiledOf) return;
    try {
      this.#compiled = compile(this.#context, resolution.tls);
      this.#compiledOf = identity;
      this.#problem = '';
    } catch (error) {
      this.#problem = error instanceof Error ? error.message : String(error);
    }
  }
}

/** What keeps a context from being used as it stands, one line each. What is still to come is no fault. */
export function tlsContextFaults(
  context: DownstreamTlsContext | UpstreamTlsContext,
  materials: TlsMaterials,
  wallMs: number,
): readonly string[] {
  const resolution: Resolution = materials.resolve(context.common);
  if (resolution.kind === 'ready') return secureContextFaults(resolution.tls, context.common.parameters, wallMs);
  // What does not depend on secrets can be looked at all the same.
  const own = { certificates: [], trustedCaPem: undefined, validation: undefined };
  return secureContextFaults(own, context.common.parameters, wallMs);
}

function compile(context: DownstreamTlsContext | UpstreamTlsContext, resolved: ResolvedTls): CompiledTls {
  const { validation } = resolved;
  const isServer = context.kind === 'downstreamTls';
  const isVerified = validation?.trustedCa !== undefined;
  if (validation !== undefined && !isVerified && validation.matchSubjectAltNames.length > 0) {
    throw new Error('validation context: names are checked, and there is no trusted_ca to go by');
  }
  const requiresCertificate = isServer ? context.requireClientCertificate : isVerified;
  if (requiresCertificate && !isVerified) throw new Error('validation context: there is no trusted_ca to go by');
  return {
    secureContext: compileSecureContext(resolved, context.common.parameters),
    verification: new PeerVerification({ validation, isCertificateRequired: requiresCertificate }),
    requestsCertificate: isVerified,
    requiresCertificate,
    localUriNames: localUriNames(resolved),
  };
}

function localUriNames({ certificates: [first] }: ResolvedTls): readonly string[] {
  const [leafPem] = first === undefined ? [] : certificatesIn(first.chainPem);
  if (leafPem === undefined) return [];
  return readCertificateExtensions(new X509Certificate(leafPem).raw)?.uriNames ?? [];
}

/** Names of protocols as the wire has them (RFC 7301 §3.1); undefined for none. */
export function alpnBytes(protocols: readonly string[]): Buffer | undefined {
  if (protocols.length === 0) return undefined;
  return Buffer.concat(
    protocols.map((protocol) => {
      const name = Buffer.from(protocol);
      return Buffer.concat([Buffer.from([name.length]), name]);
    }),
  );
}
