import type { Cluster } from '../../resource/cluster.ts';
import type { DataSource } from '../../resource/data-source.ts';
import type { Listener } from '../../resource/listener.ts';
import type { Secret } from '../../resource/secret.ts';
import type {
  CertificateValidation,
  CommonTlsContext,
  TlsCertificate,
  TransportSocket,
} from '../../resource/transport-socket.ts';
import { chainsOf } from './references.ts';

/** The TLS contexts of a listener's filter chains. */
export function tlsContextsOfListener(listener: Listener): readonly CommonTlsContext[] {
  return chainsOf(listener).flatMap(({ transportSocket }) => contextOf(transportSocket));
}

/** The TLS contexts of a cluster, by whichever match. */
export function tlsContextsOfCluster(cluster: Cluster): readonly CommonTlsContext[] {
  const sockets = [cluster.transportSocket, ...cluster.transportSocketMatches.map((match) => match.transportSocket)];
  return sockets.flatMap(contextOf);
}

/** Names of the secrets that contexts ask for. */
export function secretNames(contexts: Iterable<CommonTlsContext>): Set<string> {
  const names = new Set<string>();
  for (const { certificateSecretNames, validationSecretName } of contexts) {
    for (const name of certificateSecretNames) names.add(name);
    if (validationSecretName !== undefined) names.add(validationSecretName);
  }
  return names;
}

/** Files that contexts read, and those that their secrets do. */
export function filePaths(contexts: Iterable<CommonTlsContext>, secrets: ReadonlyMap<string, Secret>): Set<string> {
  const paths = new Set<string>();
  for (const context of contexts) {
    for (const certificate of context.certificates) addCertificate(paths, certificate);
    addValidation(paths, context.validation);
    for (const name of secretNames([context])) addSecret(paths, secrets.get(name));
  }
  return paths;
}

function contextOf(socket: TransportSocket | undefined): readonly CommonTlsContext[] {
  return socket?.kind === 'downstreamTls' || socket?.kind === 'upstreamTls' ? [socket.common] : [];
}

function addSecret(paths: Set<string>, secret: Secret | undefined): void {
  if (secret?.kind === 'tlsCertificate') addCertificate(paths, secret.certificate);
  if (secret?.kind === 'validationContext') addValidation(paths, secret.validation);
}

function addCertificate(paths: Set<string>, { certificateChain, privateKey }: TlsCertificate): void {
  addSource(paths, certificateChain);
  addSource(paths, privateKey);
}

function addValidation(paths: Set<string>, validation: CertificateValidation | undefined): void {
  if (validation?.trustedCa !== undefined) addSource(paths, validation.trustedCa);
}

function addSource(paths: Set<string>, source: DataSource): void {
  if (source.kind === 'file') paths.add(source.path);
}
