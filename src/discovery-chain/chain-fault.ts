/** A config entry, by which a fault is found. */
export interface EntryName {
  readonly kind: 'service-router' | 'service-splitter' | 'service-resolver' | 'service-defaults';
  readonly name: string;
}

/** Why no chain can be made of the entries, in Consul's words. */
export class ChainFault extends Error {
  /** The entry that names what is not there, or the first of those that contradict each other. */
  readonly entry: EntryName;

  constructor(entry: EntryName, message: string) {
    super(message);
    this.name = 'ChainFault';
    this.entry = entry;
  }
}
