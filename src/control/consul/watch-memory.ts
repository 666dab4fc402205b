/** What was known before this program started, for as long as Consul cannot be asked. Somebody else keeps it. */
export interface WatchMemory {
  recall(key: string): Recollection | undefined;
  keep(key: string, body: string): void;
  forget(key: string): void;
}

export interface Recollection {
  /** JSON, as it was kept. */
  readonly body: string;
  readonly savedAtWallMs: number;
}
