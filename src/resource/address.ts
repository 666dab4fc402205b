/** Where a socket is bound or dialled: envoy.config.core.v3.Address narrowed to the two kinds Weft carries. */
export type Address =
  | {
      readonly kind: 'ip';
      readonly host: string;
      readonly port: number;
      /** An IPv6 address that is bound takes IPv4 too; of interest for `::`. */
      readonly ipv4Compat?: true;
    }
  | { readonly kind: 'pipe'; readonly path: string; readonly mode: number };

/** One text per address, usable as a map key and as Envoy prints it (`127.0.0.1:80`, `[::1]:80`, `/run/app.sock`). */
export function addressText(address: Address): string {
  if (address.kind === 'pipe') return address.path;
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

/** envoy.config.core.v3.CidrRange. */
export interface CidrRange {
  readonly addressPrefix: string;
  readonly prefixLength: number;
}

/** envoy.config.core.v3.Locality; empty strings where the proto leaves a part out. */
export interface Locality {
  readonly region: string;
  readonly zone: string;
  readonly subZone: string;
}
