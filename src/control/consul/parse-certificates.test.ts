import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parseCaRoots, parseLeaf } from './parse-certificates.ts';

const PEM = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
const KEY = '-----BEGIN EC PRIVATE KEY-----\nHUSH\n-----END EC PRIVATE KEY-----\n';
const LEAF = {
  SerialNumber: '09',
  CertPEM: PEM,
  PrivateKeyPEM: KEY,
  Service: 'web',
  ServiceURI: 'spiffe://a.consul/ns/default/dc/dc1/svc/web',
  ValidAfter: '2026-11-23T00:17:24Z',
  ValidBefore: '2026-11-26T00:17:24Z',
};

describe('roots of the CA', () => {
  it('are read with the trust domain in lower case, in the order of their ids', () => {
    const root = (ID: string, Active: boolean): object => ({
      ID,
      Name: ID,
      RootCert: PEM,
      IntermediateCerts: null,
      Active,
    });
    const read = parseCaRoots({
      ActiveRootID: 'b',
      TrustDomain: 'A.consul',
      Roots: [root('b', true), root('a', false)],
    });
    expect(read.trustDomain).toBe('a.consul');
    expect(read.activeRootId).toBe('b');
    expect(read.roots.map(({ id, isActive }) => [id, isActive])).toEqual([
      ['a', false],
      ['b', true],
    ]);
  });

  it('may be none, and then there is no trust domain', () => {
    expect(parseCaRoots({ Roots: null })).toEqual({ trustDomain: '', activeRootId: '', roots: [] });
  });

  it('are refused whole where one of them is no certificate', () => {
    expect(() => parseCaRoots({ Roots: [{ ID: 'a', RootCert: 'x' }] })).toThrow('no PEM');
  });
});

describe('a leaf certificate', () => {
  it('is read with its times', () => {
    const read = parseLeaf('web', LEAF);
    expect(read).toMatchObject({ service: 'web', uri: LEAF.ServiceURI, certificatePem: PEM });
    expect(read.validBeforeWallMs - read.validAfterWallMs).toBe(72 * 3_600_000);
    expect(read.privateKey.reveal()).toBe(KEY);
  });

  it('does not print its key', () => {
    const read = parseLeaf('web', LEAF);
    expect(JSON.stringify(read) + inspect(read, { depth: 9, showHidden: true })).not.toContain('HUSH');
  });

  it.each([
    ['another service', { ...LEAF, Service: 'db' }, 'a certificate of service "db" instead of "web"'],
    ['no key', { ...LEAF, PrivateKeyPEM: 'HUSH' }, 'no PEM'],
    ['no time', { ...LEAF, ValidBefore: 'soon' }, 'no time'],
    ['no SPIFFE id', { ...LEAF, ServiceURI: 'https://web' }, 'spiffe'],
  ])('is refused with %s, and the refusal quotes no key', (_what, body, reason) => {
    expect(() => parseLeaf('web', body)).toThrow(reason);
    expect(() => parseLeaf('web', body)).not.toThrow('HUSH');
  });
});
