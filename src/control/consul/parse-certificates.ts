import { z } from 'zod';
import { Secret } from '../../base/secret.ts';
import { serviceName } from '../translate/catalog.ts';
import type { CaRoots, LeafCertificate } from '../translate/identity.ts';
import { flag, list, text } from './fields.ts';

/** Ten certificates of an unusual size; a chain that is longer is no chain. */
const MAX_PEM_CHARS = 256 * 1024;

const pem = z
  .string()
  .max(MAX_PEM_CHARS)
  .regex(/-----BEGIN [A-Z ]+-----/, 'no PEM');
const wallMs = z.string().transform((value, context) => {
  const parsed = Date.parse(value);
  if (!Number.isNaN(parsed)) return parsed;
  context.addIssue({ code: 'custom', message: 'no time' });
  return z.NEVER;
});

const caRoots = z.object({
  TrustDomain: text,
  ActiveRootID: text,
  Roots: list(
    z.object({
      ID: z.string().min(1),
      Name: text,
      RootCert: pem,
      IntermediateCerts: list(pem),
      Active: flag,
    }),
  ),
});

/** Reads `/v1/connect/ca/roots`; nothing but empty where Connect is off. */
export function parseCaRoots(body: unknown): CaRoots {
  const read = caRoots.parse(body);
  const roots = read.Roots.map((root) => ({
    id: root.ID,
    name: root.Name,
    certificatePem: root.RootCert,
    intermediatesPem: root.IntermediateCerts,
    isActive: root.Active,
  }));
  return {
    trustDomain: read.TrustDomain.toLowerCase(),
    activeRootId: read.ActiveRootID,
    roots: roots.sort((a, b) => (a.id < b.id ? -1 : 1)),
  };
}

const leaf = z.object({
  Service: z.string().min(1),
  ServiceURI: z.string().startsWith('spiffe://'),
  SerialNumber: text,
  CertPEM: pem,
  PrivateKeyPEM: pem,
  ValidAfter: wallMs,
  ValidBefore: wallMs,
});

/** Reads `/v1/agent/connect/ca/leaf/:service`. What is wrong with it is told without quoting any of it. */
export function parseLeaf(service: string, body: unknown): LeafCertificate {
  const read = leaf.parse(body);
  if (read.Service !== service) throw new Error(`a certificate of service "${read.Service}" instead of "${service}"`);
  return {
    service: serviceName(read.Service),
    uri: read.ServiceURI,
    serialNumber: read.SerialNumber,
    certificatePem: read.CertPEM,
    privateKey: new Secret(read.PrivateKeyPEM),
    validAfterWallMs: read.ValidAfter,
    validBeforeWallMs: read.ValidBefore,
  };
}
