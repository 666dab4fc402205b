/**
 * The registry's certificate authority: one active root, the roots before it, and a leaf for each service that asks. Leaves
 * live three days and are renewed between 60 and 90 percent of that, as Consul's agents do; a root that is replaced makes new
 * leaves at once. Everything is in memory: a registry that starts again has another root and another trust domain.
 */
import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import { ApiError } from '../api-error.ts';
import type { ChangeIndex } from '../state/change-index.ts';
import {
  certificatePem,
  crossSign,
  fingerprint,
  hexSerial,
  type KeyAndCertificate,
  type KeyBits,
  makeLeaf,
  makeRoot,
  privateKeyPem,
  signingKeyId,
} from './certificates.ts';

const HOUR_MS = 3_600_000;
const LEAF_LIFE_MS = 72 * HOUR_MS;
const ROOT_LIFE_MS = 87_600 * HOUR_MS;
const INTERMEDIATE_LIFE_MS = 8_760 * HOUR_MS;
/** Clocks of two machines differ: what is made now is valid since a minute ago. */
const CLOCK_LEEWAY_MS = 60_000;
/** The share of a leaf's life after which it is renewed, somewhere between these. */
const RENEW_FROM = 0.6;
const RENEW_UNTIL = 0.9;
const FIRST_SERIAL = 7;
/** Services with a leaf at the same time. */
const MAX_LEAVES = 10_000;

export const CA_ROOTS_TOPIC = 'ca-roots';

export interface ConnectCaOptions {
  readonly trustDomain: string;
  readonly datacenter: string;
  readonly changes: ChangeIndex;
  readonly clock: Clock;
  readonly random: Random;
}

interface Root extends KeyAndCertificate {
  /** This root's key, signed by the root before it; empty for the first. Goes with every leaf. */
  readonly crossSignedPem: string;
  readonly row: Readonly<Record<string, unknown>>;
  readonly id: string;
}

interface Leaf {
  readonly row: Readonly<Record<string, unknown>>;
  readonly rootId: string;
  readonly renewAtWallMs: number;
}

export class ConnectCa {
  readonly #options: ConnectCaOptions;
  readonly #leaves = new Map<string, Leaf>();
  readonly #making = new Map<string, Promise<void>>();
  /** Newest first: the active one. */
  #roots: readonly Root[] = [];
  #lastSerial = FIRST_SERIAL - 1;

  private constructor(options: ConnectCaOptions) {
    this.#options = options;
  }

  static async create(options: ConnectCaOptions): Promise<ConnectCa> {
    const authority = new ConnectCa(options);
    await authority.rotateRoot();
    return authority;
  }

  /** Names are made of it, from the first moment on. */
  get trustDomain(): string {
    return this.#options.trustDomain;
  }

  /** What `/v1/connect/ca/roots` says. */
  roots(): Readonly<Record<string, unknown>> {
    const [active] = this.#roots;
    return {
      ActiveRootID: active?.id ?? '',
      TrustDomain: this.#options.trustDomain,
      Roots: this.#roots.map(({ row, id }) => ({ ...row, Active: id === active?.id })),
    };
  }

  /** A new root signs from now on; those before it stay trusted. */
  async rotateRoot(bits: KeyBits = 256): Promise<void> {
    const { changes, trustDomain } = this.#options;
    const serial = this.#nextSerial();
    const uri = `spiffe://${trustDomain}`;
    const validity = this.#validity(ROOT_LIFE_MS);
    const made = await makeRoot(`weft registry CA ${serial}`, uri, serial, validity, bits);
    const [before] = this.#roots;
    const crossSignedPem =
      before === undefined
        ? ''
        : certificatePem(await crossSign(made, before, uri, this.#nextSerial(), this.#validity(INTERMEDIATE_LIFE_MS)));
    const index = changes.next();
    const row = {
      ID: fingerprint(made.certificate),
      Name: 'Consul CA Primary Cert',
      SerialNumber: serial,
      SigningKeyID: signingKeyId(made.certificate),
      ExternalTrustDomain: trustDomain.replace(/\.consul$/, ''),
      NotBefore: goTime(validity.notBefore),
      NotAfter: goTime(validity.notAfter),
      RootCert: certificatePem(made.certificate),
      IntermediateCerts: null,
      Active: true,
      PrivateKeyType: 'ec',
      PrivateKeyBits: bits,
      CreateIndex: index,
      ModifyIndex: index,
    };
    this.#roots = [{ ...made, crossSignedPem, row, id: row.ID }, ...this.#roots];
    changes.publish(index, [CA_ROOTS_TOPIC]);
    await Promise.all([...this.#leaves.keys()].map((service) => this.ensureLeaf(service)));
  }

  /** Another key size than the active root's makes a new root; the same changes nothing. */
  async configure(bits: KeyBits): Promise<void> {
    if (this.#roots[0]?.bits !== bits) await this.rotateRoot(bits);
  }

  /** Makes a leaf where there is none, or where the one there is must be replaced. */
  async ensureLeaf(service: string): Promise<void> {
    if (!this.#needsLeaf(service)) return;
    const making = this.#making.get(service) ?? this.#makeLeaf(service).finally(() => this.#making.delete(service));
    this.#making.set(service, making);
    await making;
  }

  /** What `/v1/agent/connect/ca/leaf/:service` says, after {@link ensureLeaf}. */
  leaf(service: string): Readonly<Record<string, unknown>> {
    const leaf = this.#leaves.get(service);
    if (leaf === undefined) throw new ApiError(500, `no leaf certificate was made for ${JSON.stringify(service)}`);
    return leaf.row;
  }

  #needsLeaf(service: string): boolean {
    const leaf = this.#leaves.get(service);
    return (
      leaf === undefined || leaf.rootId !== this.#roots[0]?.id || this.#options.clock.wallMs() >= leaf.renewAtWallMs
    );
  }

  async #makeLeaf(service: string): Promise<void> {
    const { changes, clock, random, trustDomain, datacenter } = this.#options;
    const [root] = this.#roots;
    if (root === undefined) throw new ApiError(500, 'the certificate authority has no root');
    if (!this.#leaves.has(service) && this.#leaves.size >= MAX_LEAVES) {
      throw new ApiError(500, `${MAX_LEAVES} services have a certificate already`);
    }
    const serial = this.#nextSerial();
    const uri = `spiffe://${trustDomain}/ns/default/dc/${datacenter}/svc/${service}`;
    const validity = this.#validity(LEAF_LIFE_MS);
    const made = await makeLeaf(root, uri, serial, validity);
    const index = changes.next();
    const row = {
      SerialNumber: hexSerial(serial),
      CertPEM: certificatePem(made.certificate) + root.crossSignedPem,
      PrivateKeyPEM: privateKeyPem(made.keys),
      Service: service,
      ServiceURI: uri,
      ValidAfter: goTime(validity.notBefore),
      ValidBefore: goTime(validity.notAfter),
      CreateIndex: index,
      ModifyIndex: index,
    };
    const share = RENEW_FROM + (RENEW_UNTIL - RENEW_FROM) * random.next();
    this.#leaves.set(service, { row, rootId: root.id, renewAtWallMs: clock.wallMs() + LEAF_LIFE_MS * share });
    changes.publish(index, [leafTopic(service)]);
  }

  #validity(lifeMs: number): { readonly notBefore: Date; readonly notAfter: Date } {
    const fromMs = this.#options.clock.wallMs() - CLOCK_LEEWAY_MS;
    return { notBefore: new Date(fromMs), notAfter: new Date(fromMs + lifeMs) };
  }

  #nextSerial(): number {
    this.#lastSerial += 1;
    return this.#lastSerial;
  }
}

export function leafTopic(service: string): string {
  return `ca-leaf:${service}`;
}

/** Certificates count whole seconds. */
function goTime(time: Date): string {
  return time.toISOString().replace(/\.\d{3}Z$/, 'Z');
}
