import type { TypeUrl } from '../../resource/type-url.ts';

/** One resource as canonical ProtoJSON, not yet encoded: what translation makes and what a snapshot is built from. */
export interface ResourceLiteral {
  readonly typeUrl: TypeUrl;
  readonly name: string;
  /** The message's fields, without `@type`. */
  readonly json: Json;
}

export type Json = Readonly<Record<string, unknown>>;
