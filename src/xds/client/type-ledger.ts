import { type Decoded, type Fault, faultsText } from '../../resource/fault.ts';
import type { DiscoveryResponse, ReceivedAny } from '../discovery-codec.ts';
import { firstStringField } from '../wire.ts';

/** What the client asks for of one type. */
export type Wanted = 'nothing' | 'everything' | ReadonlySet<string>;

/** A resource that was accepted, and is in force until another version is. */
export interface HeldResource<Value> {
  readonly name: string;
  readonly version: string;
  /** The message's own bytes, not sharing memory with the response it came in. */
  readonly message: Buffer;
  readonly value: Value;
}

/** The newest version of a resource, refused; an older one may be held meanwhile. */
export interface RejectedResource {
  readonly name: string;
  readonly version: string;
  readonly message: Buffer;
  readonly faults: readonly Fault[];
}

/** What a response did. */
export interface LedgerUpdate<Value> {
  readonly changed: readonly HeldResource<Value>[];
  /** Held as they are, and said once more. */
  readonly confirmed: readonly HeldResource<Value>[];
  /** Names held until now. */
  readonly removed: readonly string[];
  /** Names held, said to be gone, and kept all the same. */
  readonly kept: readonly string[];
  /** Names asked for, not held, and said not to exist. */
  readonly absent: readonly string[];
  /** One line per faulty resource; empty means ACK. */
  readonly faults: readonly string[];
}

interface TakenResources<Value> {
  readonly changed: HeldResource<Value>[];
  readonly confirmed: HeldResource<Value>[];
  readonly faults: string[];
}

/** Whether a response that lacks a name deletes it: SotW LDS and CDS. */
export type ResponseScope = 'complete' | 'partial';

/** How a type's bytes become what the rest of the program reads. */
export type DecodeResource<Value> = (typeUrl: string, message: Buffer) => Decoded<Value>;

/**
 * What is wanted, held and refused of one type, whatever stream it came by. Each resource stands for itself: a faulty one is refused and
 * its last good version kept, while the others of the same response take effect.
 */
export class TypeLedger<Value> {
  readonly typeUrl: string;
  readonly #decode: DecodeResource<Value>;
  readonly #held = new Map<string, HeldResource<Value>>();
  readonly #rejected = new Map<string, RejectedResource>();
  readonly #ignoresDeletion: boolean;
  #wanted: Wanted = 'nothing';

  /** With `ignoresDeletion`, what is held stays until another version comes or it is no longer wanted (gRFC A53). */
  constructor(typeUrl: string, decode: DecodeResource<Value>, ignoresDeletion = false) {
    this.typeUrl = typeUrl;
    this.#decode = decode;
    this.#ignoresDeletion = ignoresDeletion;
  }

  get wanted(): Wanted {
    return this.#wanted;
  }

  get held(): ReadonlyMap<string, HeldResource<Value>> {
    return this.#held;
  }

  get rejected(): ReadonlyMap<string, RejectedResource> {
    return this.#rejected;
  }

  /** Forgets what is no longer wanted. */
  want(wanted: Wanted): void {
    this.#wanted = wanted;
    for (const name of this.#held.keys()) if (!this.isWanted(name)) this.#held.delete(name);
    for (const name of this.#rejected.keys()) if (!this.isWanted(name)) this.#rejected.delete(name);
  }

  isWanted(name: string): boolean {
    if (typeof this.#wanted === 'string') return this.#wanted === 'everything';
    return this.#wanted.has(name);
  }

  apply(response: DiscoveryResponse, scope: ResponseScope): LedgerUpdate<Value> {
    const changed: HeldResource<Value>[] = [];
    const confirmed: HeldResource<Value>[] = [];
    const faults: string[] = [];
    const present = new Set<string>();
    let hasNameless = false;
    for (const [index, any] of response.resources.entries()) {
      const name = any.name ?? firstStringField(any.message);
      if (name === undefined || name === '') {
        hasNameless = true;
        faults.push(`resources[${index}]: has no name`);
      } else if (present.has(name)) {
        faults.push(`${name}: more than one resource of the response has this name; the first one counts`);
      } else {
        present.add(name);
        this.#take(name, any, { changed, confirmed, faults });
      }
    }
    const gone = new Set(response.removedNames);
    // A resource whose name cannot be read may be any of those that seem to be missing.
    if (scope === 'complete' && !hasNameless) {
      for (const name of [...this.#held.keys(), ...this.#rejected.keys()]) if (!present.has(name)) gone.add(name);
    }
    return { changed, confirmed, faults, ...this.#remove(gone) };
  }

  /**
   * Takes a resource of an earlier run: what is held now, or its faults; undefined when it is not wanted. Before anything was said to be
   * wanted everything is taken, and the first subscription drops what it does not name.
   */
  restore(name: string, version: string, message: Buffer): readonly Fault[] | HeldResource<Value> | undefined {
    if (this.#wanted !== 'nothing' && !this.isWanted(name)) return undefined;
    const decoded = this.#decodeSafely(message);
    if (!decoded.ok) return decoded.faults;
    const held = { name, version, message, value: decoded.value };
    this.#held.set(name, held);
    return held;
  }

  #take(name: string, any: ReceivedAny, { changed, confirmed, faults }: TakenResources<Value>): void {
    // A heartbeat: same version, no body. It only says that the resource is still there.
    const held = this.#held.get(name);
    if (any.typeUrl === '' && any.message.length === 0) {
      if (held !== undefined) confirmed.push(held);
      return;
    }
    if (!this.isWanted(name)) return;
    const { version } = any;
    if (any.typeUrl === this.typeUrl && held?.message.equals(any.message)) {
      this.#rejected.delete(name);
      confirmed.push(held);
      if (held.version !== version) this.#held.set(name, { ...held, version });
      return;
    }
    const before = this.#rejected.get(name);
    const decoded = before?.message.equals(any.message)
      ? { ok: false as const, faults: before.faults }
      : this.#read(any);
    // Copied, so that one small resource does not keep the whole response's memory.
    const message = Buffer.from(any.message);
    if (decoded.ok) {
      const accepted = { name, version, message, value: decoded.value };
      this.#held.set(name, accepted);
      this.#rejected.delete(name);
      changed.push(accepted);
    } else {
      this.#rejected.set(name, { name, version, message, faults: decoded.faults });
      faults.push(faultsText(name, decoded.faults));
    }
  }

  #read(any: ReceivedAny): Decoded<Value> {
    if (any.typeUrl === this.typeUrl) return this.#decodeSafely(any.message);
    const message = `is ${any.typeUrl || 'missing'} in a response of ${this.typeUrl}`;
    return { ok: false, faults: [{ field: 'type_url', message }] };
  }

  /** A decoder that throws is a mistake of ours, but must not cost the process: it counts as a fault of the resource. */
  #decodeSafely(message: Buffer): Decoded<Value> {
    try {
      return this.#decode(this.typeUrl, message);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return { ok: false, faults: [{ field: '(message)', message: `cannot be decoded: ${reason}` }] };
    }
  }

  #remove(gone: Iterable<string>): { removed: string[]; kept: string[]; absent: string[] } {
    const removed: string[] = [];
    const kept: string[] = [];
    const absent: string[] = [];
    for (const name of gone) {
      this.#rejected.delete(name);
      if (this.#ignoresDeletion && this.#held.has(name)) kept.push(name);
      else if (this.#held.delete(name)) removed.push(name);
      else if (this.#wanted instanceof Set && this.#wanted.has(name)) absent.push(name);
    }
    return { removed, kept, absent };
  }
}
