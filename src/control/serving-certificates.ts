import type { TlsMaterial } from '../xds/server/server.ts';
import { WatchedFile } from './consul/watched-file.ts';

/** Files in PEM, read again when they change. */
export interface ServingFiles {
  readonly certificateFile: string;
  readonly keyFile: string;
  /** Clients must have a certificate that one of these has signed; absent asks for none. */
  readonly clientCaFile?: string | undefined;
}

/** The certificates of now. Throws, naming the option, where a file cannot be read at the start. */
export function servingCertificates(files: ServingFiles, nowMs: () => number): () => TlsMaterial {
  const certificate = new WatchedFile('--tls-cert', files.certificateFile, nowMs);
  const key = new WatchedFile('--tls-key', files.keyFile, nowMs);
  const { clientCaFile } = files;
  const clientCa = clientCaFile === undefined ? undefined : new WatchedFile('--tls-client-ca', clientCaFile, nowMs);
  return () => ({ certificatePem: certificate.text, privateKeyPem: key.text, clientCaPem: clientCa?.text });
}
