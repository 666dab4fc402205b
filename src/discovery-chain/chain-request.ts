export interface ChainRequest {
  readonly service: string;
  /** Where the chain is evaluated: targets that name no datacenter are there. */
  readonly datacenter: string;
  readonly overrides: ChainOverrides;
}

/** What the asker wants otherwise; empty and 0 leave it to the entries. */
export interface ChainOverrides {
  readonly protocol: string;
  readonly connectTimeoutMs: number;
  readonly meshGatewayMode: string;
}

export const NO_OVERRIDES: ChainOverrides = { protocol: '', connectTimeoutMs: 0, meshGatewayMode: '' };
