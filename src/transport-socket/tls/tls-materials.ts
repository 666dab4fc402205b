import type { DataSource } from '../../resource/data-source.ts';
import type { Secret } from '../../resource/secret.ts';
import type { CertificateValidation, CommonTlsContext, TlsCertificate } from '../../resource/transport-socket.ts';

/** A TLS context with every secret and file in its place. */
export interface ResolvedTls {
  readonly certificates: readonly { readonly chainPem: string; readonly keyPem: string }[];
  readonly trustedCaPem: string | undefined;
  readonly validation: CertificateValidation | undefined;
}

export type Resolution =
  | { readonly kind: 'ready'; readonly tls: ResolvedTls }
  /** Secrets and files that are not there yet. */
  | { readonly kind: 'missing'; readonly names: readonly string[] };

/** Secrets and the contents of files as they are now, for all contexts of a thread. */
export class TlsMaterials {
  readonly #secrets = new Map<string, Secret>();
  readonly #files = new Map<string, string>();
  #version = 0;

  /** Moves whenever something changed: what was made of an older version is to be looked at again. */
  get version(): number {
    return this.#version;
  }

  setSecret(secret: Secret): void {
    this.#secrets.set(secret.name, secret);
    this.#version++;
  }

  removeSecret(name: string): void {
    if (this.#secrets.delete(name)) this.#version++;
  }

  setFile(path: string, text: string): void {
    this.#files.set(path, text);
    this.#version++;
  }

  /** undefined: it is not there yet. */
  fileText(path: string): string | undefined {
    return this.#files.get(path);
  }

  removeFile(path: string): void {
    if (this.#files.delete(path)) this.#version++;
  }

  resolve(context: CommonTlsContext): Resolution {
    const missing: string[] = [];
    const read = (source: DataSource): string => {
      if (source.kind === 'inline') return source.text;
      const text = this.#files.get(source.path);
      if (text === undefined) missing.push(source.path);
      return text ?? '';
    };
    const ofSecrets = context.certificateSecretNames.flatMap((name) => this.#certificate(name, missing));
    const certificates = [...context.certificates, ...ofSecrets].map(({ certificateChain, privateKey }) => ({
      chainPem: read(certificateChain),
      keyPem: read(privateKey),
    }));
    const validation = this.#validation(context, missing);
    const trustedCaPem = validation?.trustedCa === undefined ? undefined : read(validation.trustedCa);
    if (missing.length > 0) return { kind: 'missing', names: missing };
    return { kind: 'ready', tls: { certificates, trustedCaPem, validation } };
  }

  #certificate(name: string, missing: string[]): readonly TlsCertificate[] {
    const secret = this.#secrets.get(name);
    if (secret?.kind === 'tlsCertificate') return [secret.certificate];
    missing.push(name);
    return [];
  }

  #validation(
    { validation, validationSecretName }: CommonTlsContext,
    missing: string[],
  ): CertificateValidation | undefined {
    if (validationSecretName === undefined) return validation;
    const secret = this.#secrets.get(validationSecretName);
    if (secret?.kind !== 'validationContext') {
      missing.push(validationSecretName);
      return undefined;
    }
    return merged(validation, secret.validation);
  }
}

/** As protobuf merges: what the secret says counts, and lists are joined. */
function merged(known: CertificateValidation | undefined, added: CertificateValidation): CertificateValidation {
  if (known === undefined) return added;
  return {
    trustedCa: added.trustedCa ?? known.trustedCa,
    matchSubjectAltNames: [...known.matchSubjectAltNames, ...added.matchSubjectAltNames],
  };
}
