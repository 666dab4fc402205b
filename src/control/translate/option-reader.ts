import { goDurationMs } from '../../base/go-duration.ts';
import type { OpaqueConfig } from './catalog.ts';
import { misplacedKeyText } from './extension-keys.ts';
import { errorAt, type Problem, warningAt } from './problem.ts';

interface NumberBounds {
  readonly min: number;
  readonly max: number;
  readonly integer?: boolean;
}

/**
 * Reads one of Consul's opaque `Config` maps key by key. Each key is applied whole or not at all: a value out of range is
 * reported by name and counts as not set, and a key that nobody asked for is reported as unknown at the end.
 * HCL and command lines turn numbers into text and back, so numeric text is taken for the number, as Consul does.
 */
export class OptionReader {
  readonly problems: Problem[] = [];
  readonly #config: OpaqueConfig;
  readonly #where: string;
  readonly #asked = new Set<string>();

  readonly #inherited: OpaqueConfig;

  /** `inherited` is what Consul's agents copy into a registration from the entries: its faults are the entries', and told there. */
  constructor(config: OpaqueConfig, where: string, inherited: OpaqueConfig = {}) {
    this.#config = config;
    this.#where = where;
    this.#inherited = inherited;
  }

  number(key: string, { min, max, integer = true }: NumberBounds): number | undefined {
    const value = this.#take(key);
    if (value === undefined) return undefined;
    const parsed = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
    if (typeof parsed === 'number' && parsed >= min && parsed <= max && (!integer || Number.isInteger(parsed)))
      return parsed;
    return this.#refuse(key, value, `${integer ? 'a whole number' : 'a number'} from ${min} to ${max}`);
  }

  /** As Go writes it (`10s`), or nanoseconds; Consul prints 0 for what is not set. */
  durationMs(key: string, maxMs: number): number | undefined {
    const value = this.#take(key);
    if (value === undefined) return undefined;
    const parsed = typeof value === 'string' || typeof value === 'number' ? goDurationMs(value) : undefined;
    if (parsed === 0) return undefined;
    if (parsed !== undefined && parsed >= 0 && parsed <= maxMs) return parsed;
    return this.#refuse(key, value, `a duration like "10s", at most ${maxMs} ms`);
  }

  text(key: string): string | undefined {
    const value = this.#take(key);
    if (value === undefined || typeof value === 'string') return value;
    return this.#refuse(key, value, 'text');
  }

  oneOf<T extends string>(key: string, words: readonly T[]): T | undefined {
    const value = this.#take(key);
    if (value === undefined) return undefined;
    const word = words.find((known) => typeof value === 'string' && known === value.toLowerCase());
    return word ?? this.#refuse(key, value, `one of ${words.join(', ')}`);
  }

  /** A nested map, read by `read` as a whole: one bad key in it refuses all of it. */
  nested<T>(key: string, read: (reader: OptionReader) => T): T | undefined {
    const value = this.#take(key);
    if (value === undefined) return undefined;
    // Lists of one are how HCL writes a block.
    const block: unknown = Array.isArray(value) && value.length === 1 ? value[0] : value;
    if (typeof block !== 'object' || block === null || Array.isArray(block)) return this.#refuse(key, value, 'a map');
    const reader = new OptionReader(snakeCaseKeys(block as OpaqueConfig), `${this.#where}: ${key}`);
    const result = read(reader);
    reader.reportUnknown([]);
    this.problems.push(...reader.problems);
    return reader.problems.some(({ severity }) => severity === 'error') ? undefined : result;
  }

  /** Names every key that nobody asked for; `ignored` are keys known to mean something to others. */
  reportUnknown(ignored: readonly string[]): void {
    for (const key of Object.keys(this.#config).sort()) {
      if (this.#asked.has(key) || this.#isUnset(key) || this.#isInherited(key)) continue;
      const known = key.startsWith('envoy_') || ignored.includes(key);
      const message = known
        ? `"${key}" is not obeyed: it is for Consul's own Envoy configuration`
        : (misplacedKeyText(key) ?? `unknown key "${key}"; it is ignored. Is it misspelt?`);
      this.problems.push(warningAt(this.#where, message));
    }
  }

  #take(key: string): unknown {
    this.#asked.add(key);
    return this.#isUnset(key) ? undefined : this.#config[key];
  }

  #isUnset(key: string): boolean {
    const value = Object.hasOwn(this.#config, key) ? this.#config[key] : undefined;
    return value === undefined || value === null || value === '';
  }

  #isInherited(key: string): boolean {
    return (
      Object.hasOwn(this.#inherited, key) && JSON.stringify(this.#inherited[key]) === JSON.stringify(this.#config[key])
    );
  }

  #refuse(key: string, value: unknown, wanted: string): undefined {
    if (this.#isInherited(key)) return undefined;
    const shown = JSON.stringify(value)?.slice(0, 80);
    this.problems.push(errorAt(this.#where, `"${key}" must be ${wanted}, not ${shown}; the key is not applied`));
    return undefined;
  }
}

/**
 * `MaxConnections` as `max_connections`: people write registrations in snake_case and entries in CamelCase, and agents
 * copy the latter into the former as it is.
 */
export function snakeCaseKeys(config: OpaqueConfig): OpaqueConfig {
  const entries = Object.entries(config).map(
    ([key, value]) => [key.replace(/([a-z])([A-Z0-9])/g, '$1_$2').toLowerCase(), value] as const,
  );
  return Object.fromEntries(entries);
}
