/** Who a service is in the mesh, as Consul's certificate authority says: plain data that `consul/` fills. */
import type { Secret } from '../../base/secret.ts';
import type { ServiceName } from './catalog.ts';

/** One root that leaves may be signed by. While a root is being replaced there are two. */
export interface CaRoot {
  readonly id: string;
  readonly name: string;
  readonly certificatePem: string;
  /** What Consul ships beside the root, such as its cross-signed successor. */
  readonly intermediatesPem: readonly string[];
  /** The one that signs now. */
  readonly isActive: boolean;
}

/** Whom the mesh trusts. `trustDomain` is empty where Consul has no CA. */
export interface CaRoots {
  readonly trustDomain: string;
  readonly activeRootId: string;
  /** In the order of their ids. */
  readonly roots: readonly CaRoot[];
}

/** The certificate of one service, with its key. The key is never printed: see {@link Secret}. */
export interface LeafCertificate {
  readonly service: ServiceName;
  /** `spiffe://<trust domain>/ns/<namespace>/dc/<datacenter>/svc/<service>`. */
  readonly uri: string;
  readonly serialNumber: string;
  /** The leaf, followed by the intermediates up to a root. */
  readonly certificatePem: string;
  readonly privateKey: Secret;
  readonly validAfterWallMs: number;
  readonly validBeforeWallMs: number;
}
