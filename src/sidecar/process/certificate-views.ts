import { X509Certificate } from 'node:crypto';
import type { CertificateStatus } from '../../admin/admin.ts';
import type { CommonTlsContext } from '../../resource/transport-socket.ts';
import {
  certificatesIn,
  readCertificateExtensions,
  type TlsMaterials,
} from '../../transport-socket/transport-socket.ts';
import { type Activation, tlsContextsOfCluster, tlsContextsOfListener } from '../config/config.ts';

/** Each certificate that what runs shows or trusts, once, for `/certs`. Keys are never looked at. */
export function certificateStatuses(activation: Activation, materials: TlsMaterials): readonly CertificateStatus[] {
  const statuses = new Map<string, CertificateStatus>();
  const contexts = [
    ...[...activation.listeners].map(
      ([name, listener]) => [`listener ${name}`, tlsContextsOfListener(listener)] as const,
    ),
    ...[...activation.clusters].map(([name, cluster]) => [`cluster ${name}`, tlsContextsOfCluster(cluster)] as const),
  ];
  for (const [owner, commons] of contexts) {
    for (const common of commons) {
      for (const status of ofContext(common, owner, materials)) {
        statuses.set(`${status.kind} ${status.path} ${status.serialNumber}`, status);
      }
    }
  }
  return [...statuses.values()];
}

function ofContext(common: CommonTlsContext, owner: string, materials: TlsMaterials): readonly CertificateStatus[] {
  const resolution = materials.resolve(common);
  if (resolution.kind === 'missing') return [];
  const { certificates, trustedCaPem } = resolution.tls;
  const chainPath = common.certificateSecretNames[0] ?? fileOf(common.certificates[0]?.certificateChain) ?? owner;
  const caPath = common.validationSecretName ?? fileOf(common.validation?.trustedCa) ?? owner;
  return [
    ...(trustedCaPem === undefined ? [] : statusesOf('certificateAuthority', caPath, trustedCaPem)),
    ...certificates.flatMap(({ chainPem }) => statusesOf('chain', chainPath, chainPem)),
  ];
}

function fileOf(source: { readonly kind: 'inline' } | { readonly kind: 'file'; readonly path: string } | undefined) {
  return source?.kind === 'file' ? source.path : undefined;
}

function statusesOf(kind: CertificateStatus['kind'], path: string, pem: string): readonly CertificateStatus[] {
  return certificatesIn(pem).map((one) => {
    const certificate = new X509Certificate(one);
    return {
      kind,
      path,
      serialNumber: certificate.serialNumber.toLowerCase(),
      subjectAlternativeUris: readCertificateExtensions(certificate.raw)?.uriNames ?? [],
      validFromMs: certificate.validFromDate.getTime(),
      expiresMs: certificate.validToDate.getTime(),
    };
  });
}
