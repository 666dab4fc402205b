import type { WatchMemory } from './consul/consul.ts';
import type { MutualTls, TranslatedUnit } from './translate/translate.ts';

/** Of the shape of a unit: what another one wrote is not read. */
const FORMAT = 2;

/**
 * Parts of one proxy that are held at their last good form because Consul's present one is faulty. Consul no longer knows
 * that form, so a control server that starts again would have to drop the part; here it is found again.
 */
export class HeldMemory {
  readonly #key: string;
  readonly #memory: WatchMemory | undefined;
  /** A part that was made for a mesh in plaintext is no good in one with mutual TLS. */
  readonly #mutualTls: MutualTls;
  #recalled: ReadonlyMap<string, TranslatedUnit>;
  #kept = '';

  constructor(nodeId: string, memory: WatchMemory | undefined, mutualTls: MutualTls) {
    this.#key = `held ${nodeId}`;
    this.#memory = memory;
    this.#mutualTls = mutualTls;
    this.#recalled = new Map(this.#read(memory?.recall(this.#key)?.body).map((unit) => [unit.key, unit]));
    if (this.#recalled.size > 0) this.#kept = this.#textOf([...this.#recalled.values()]);
  }

  /** What was held before this program started. */
  get recalled(): ReadonlyMap<string, TranslatedUnit> {
    return this.#recalled;
  }

  /** It cannot be served: never mind it. */
  giveUp(): void {
    this.#recalled = new Map();
  }

  /** What is held now; an empty list is the usual one. */
  keep(units: readonly TranslatedUnit[]): void {
    const text = units.length === 0 ? '' : this.#textOf(units);
    if (text === this.#kept) return;
    this.#kept = text;
    if (text === '') this.#memory?.forget(this.#key);
    else this.#memory?.keep(this.#key, text);
  }

  #textOf(units: readonly TranslatedUnit[]): string {
    return JSON.stringify({ format: FORMAT, mutualTls: this.#mutualTls, units });
  }

  #read(text: string | undefined): readonly TranslatedUnit[] {
    if (text === undefined) return [];
    try {
      const body = JSON.parse(text) as HeldUnits;
      return body.format === FORMAT && body.mutualTls === this.#mutualTls ? body.units : [];
    } catch {
      return [];
    }
  }
}

interface HeldUnits {
  readonly format?: number;
  readonly mutualTls?: string;
  readonly units: readonly TranslatedUnit[];
}
