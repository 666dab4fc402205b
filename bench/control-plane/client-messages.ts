/** What a suite tells its process of clients, and hears from it. Times are of the machine's monotonic clock. */
export type ClientCommand =
  | { readonly kind: 'connect'; readonly port: number; readonly clients: number }
  | { readonly kind: 'watch'; readonly name: string; readonly subscribers: number }
  | { readonly kind: 'disconnect' };

export type ClientReport =
  | { readonly kind: 'ready' }
  /** Every client has everything that it asked for. */
  | { readonly kind: 'settled'; readonly atMs: readonly number[] }
  /** The assignment has been answered by all its subscribers, the last one now; bytes are those of all clients since the watch began. */
  | { readonly kind: 'reached'; readonly atMs: readonly number[]; readonly bytes: number; readonly others: number }
  | { readonly kind: 'disconnected' }
  | { readonly kind: 'lost'; readonly reason: string };

export function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}
