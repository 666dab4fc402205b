/** One combination of config entries, and the chains that are asked for once they are written. */
export interface ChainCase {
  readonly name: string;
  /** In the order they are written; one that is refused changes nothing. */
  readonly entries: readonly WrittenEntry[];
  readonly questions: readonly ChainQuestion[];
}

export type WrittenEntry = Readonly<Record<string, unknown>> & { readonly Kind: string; readonly Name: string };

export interface ChainQuestion {
  readonly service: string;
  /** `?compile-dc=`: where the chain is evaluated. */
  readonly datacenter?: string;
  /** Asked by POST with these. */
  readonly overrides?: Readonly<Record<string, unknown>>;
}
