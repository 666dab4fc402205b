type Values = Readonly<Record<string, unknown>>;

/** Envoy's dynamic metadata: what filters of a chain tell those behind them about one request, by filter name. */
export class StreamMetadata {
  readonly #byFilter = new Map<string, Map<string, unknown>>();

  set(filter: string, key: string, value: unknown): void {
    const values = this.#byFilter.get(filter) ?? new Map<string, unknown>();
    values.set(key, value);
    this.#byFilter.set(filter, values);
  }

  /** The value at a path of keys; undefined where there is none. */
  at(filter: string, [first = '', ...rest]: readonly string[]): unknown {
    let value = this.#byFilter.get(filter)?.get(first);
    for (const key of rest) {
      if (!isObject(value) || !Object.hasOwn(value, key)) return undefined;
      value = value[key];
    }
    return value;
  }
}

function isObject(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
