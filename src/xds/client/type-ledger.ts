import { type Decoded, type Fault, faultsText } from '../../resource/fault.ts';
import type { DiscoveryResponse, ReceivedAny } from '../discovery-codec.ts';
import { firstStringField } from '../wire.ts';
import type { LastGoodResource } from './last-good-config.ts';
import { Lifetimes } from './lifetimes.ts';

/** What the client asks for of one type. */
export type Wanted = 'nothing' | 'everything' | ReadonlySet<string>;

/** A resource that was accepted, and is in force until another version is. */
export interface HeldResource<Value> {
  readonly name: string;
  readonly version: string;
  /** The message's own bytes, not sharing memory with the response it came in. */
  readonly message: Buffer;
  readonly value: Value;
  /** How long it lives from each time it is heard of; undefined is for ever. */
  readonly ttlMs?: number;
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
  /** Names whose time was over here, and of which the server says that they live on: their content has to be asked for anew. */
  readonly missed: readonly string[];
  /** One line per faulty resource; empty means ACK. */
  readonly faults: readonly string[];
}

interface TakenResources<Value> {
  readonly changed: HeldResource<Value>[];
  readonly confirmed: HeldResource<Value>[];
  readonly missed: string[];
  readonly faults: string[];
  readonly nowMs: number;
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
  readonly #lifetimes = new Lifetimes();
  /** Names whose time is over, until they come anew. */
  readonly #lapsed = new Set<string>();
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
    for (const name of this.#held.keys()) if (!this.isWanted(name)) this.#drop(name);
    for (const name of this.#rejected.keys()) if (!this.isWanted(name)) this.#rejected.delete(name);
    for (const name of this.#lapsed) if (!this.isWanted(name)) this.#lapsed.delete(name);
  }

  isWanted(name: string): boolean {
    if (typeof this.#wanted === 'string') return this.#wanted === 'everything';
    return this.#wanted.has(name);
  }

  apply(response: DiscoveryResponse, scope: ResponseScope, nowMs: number): LedgerUpdate<Value> {
    const taken: TakenResources<Value> = { changed: [], confirmed: [], missed: [], faults: [], nowMs };
    const { changed, confirmed, missed, faults } = taken;
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
        this.#take(name, any, taken);
      }
    }
    const gone = new Set(response.removedNames);
    // A resource whose name cannot be read may be any of those that seem to be missing.
    if (scope === 'complete' && !hasNameless && !isHeartbeatAlone(response)) {
      for (const name of [...this.#held.keys(), ...this.#rejected.keys()]) if (!present.has(name)) gone.add(name);
    }
    return { changed, confirmed, missed, faults, ...this.#remove(gone) };
  }

  /**
   * Takes a resource of an earlier run: what is held now, or its faults; undefined when it is not wanted. Before anything was said to be
   * wanted everything is taken, and the first subscription drops what it does not name.
   */
  restore(resource: LastGoodResource, nowMs: number): readonly Fault[] | HeldResource<Value> | undefined {
    const { name, version, message, ttlMs } = resource;
    if (this.#wanted !== 'nothing' && !this.isWanted(name)) return undefined;
    const decoded = this.#decodeSafely(message);
    if (!decoded.ok) return decoded.faults;
    return this.#hold(
      { name, version, message, value: decoded.value, ...(ttlMs === undefined ? {} : { ttlMs }) },
      nowMs,
    );
  }

  /** When {@link lapse} may next have something to do; infinite when nothing held has an end. */
  get nextLapseMs(): number {
    return this.#lifetimes.earliestMs;
  }

  /** Takes away what has not been heard of for its time to live. */
  lapse(nowMs: number): { readonly removed: readonly string[]; readonly kept: readonly string[] } {
    const { removed, kept } = this.#remove(this.#lifetimes.takeEnded(nowMs));
    for (const name of removed) this.#lapsed.add(name);
    return { removed, kept };
  }

  #hold(resource: HeldResource<Value>, nowMs: number): HeldResource<Value> {
    this.#held.set(resource.name, resource);
    this.#lifetimes.begin(resource.name, resource.ttlMs, nowMs);
    this.#lapsed.delete(resource.name);
    return resource;
  }

  #drop(name: string): boolean {
    this.#lifetimes.forget(name);
    return this.#held.delete(name);
  }

  #take(name: string, any: ReceivedAny, taken: TakenResources<Value>): void {
    const { changed, confirmed, faults, nowMs } = taken;
    if (isHeartbeat(any)) {
      this.#hear(name, any, taken);
      return;
    }
    if (!this.isWanted(name)) return;
    const held = this.#held.get(name);
    const { version } = any;
    const life = any.ttlMs === undefined ? {} : { ttlMs: any.ttlMs };
    if (any.typeUrl === this.typeUrl && held?.message.equals(any.message) && !isNegative(any.ttlMs)) {
      this.#rejected.delete(name);
      confirmed.push(held);
      const { message, value } = held;
      this.#hold({ name, version, message, value, ...life }, nowMs);
      return;
    }
    const before = this.#rejected.get(name);
    const decoded = before?.message.equals(any.message)
      ? { ok: false as const, faults: before.faults }
      : this.#read(any);
    // Copied, so that one small resource does not keep the whole response's memory.
    const message = Buffer.from(any.message);
    if (decoded.ok) {
      this.#rejected.delete(name);
      changed.push(this.#hold({ name, version, message, value: decoded.value, ...life }, nowMs));
    } else {
      this.#rejected.set(name, { name, version, message, faults: decoded.faults });
      faults.push(faultsText(name, decoded.faults));
    }
  }

  /**
   * The version held, or the one refused in its stead, lives on; the time to live may be another from now on. Of any other version
   * a heartbeat says nothing that concerns us.
   */
  #hear(
    name: string,
    { version, ttlMs }: ReceivedAny,
    { confirmed, missed, faults, nowMs }: TakenResources<Value>,
  ): void {
    const held = this.#held.get(name);
    if (held === undefined) {
      if (this.#lapsed.delete(name)) missed.push(name);
    } else if (isNegative(ttlMs)) {
      faults.push(faultsText(name, [NEGATIVE_TTL]));
    } else if (held.version === version || this.#rejected.get(name)?.version === version) {
      const { message, value } = held;
      const life = ttlMs === undefined ? {} : { ttlMs };
      this.#hold(held.ttlMs === ttlMs ? held : { name, version: held.version, message, value, ...life }, nowMs);
      confirmed.push(held);
    }
  }

  #read(any: ReceivedAny): Decoded<Value> {
    if (isNegative(any.ttlMs)) return { ok: false, faults: [NEGATIVE_TTL] };
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
      else if (this.#drop(name)) removed.push(name);
      else if (this.#wanted instanceof Set && this.#wanted.has(name)) absent.push(name);
    }
    return { removed, kept, absent };
  }
}

const NEGATIVE_TTL: Fault = { field: 'ttl', message: 'is negative; give how long the resource lives, or leave it out' };

function isNegative(ttlMs: number | undefined): boolean {
  return ttlMs !== undefined && ttlMs < 0;
}

/** A name and a version without a body: it only says that the resource is still there (xDS protocol, "TTL"). */
function isHeartbeat({ typeUrl, message }: ReceivedAny): boolean {
  return typeUrl === '' && message.length === 0;
}

/** Only what has a time to live is in such a response, so that what it lacks may be there all the same. */
function isHeartbeatAlone({ resources }: DiscoveryResponse): boolean {
  return resources.length > 0 && resources.every(isHeartbeat);
}
