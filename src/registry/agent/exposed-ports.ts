/** Ports of sidecars' listeners through which checks are asked, given out as Consul's agents do: the lowest that is free. */
export const DEFAULT_EXPOSE_MIN_PORT = 21_500;
const PORTS = 256;

export class ExposedPorts {
  readonly #minPort: number;
  /** By check. */
  readonly #given = new Map<string, number>();

  constructor(minPort: number) {
    this.#minPort = minPort;
  }

  /** The same one each time; undefined where all are given out. */
  portOf(checkId: string): number | undefined {
    const known = this.#given.get(checkId);
    if (known !== undefined) return known;
    const taken = new Set(this.#given.values());
    for (let port = this.#minPort; port < this.#minPort + PORTS; port += 1) {
      if (taken.has(port)) continue;
      this.#given.set(checkId, port);
      return port;
    }
    return undefined;
  }

  takeBack(checkId: string): void {
    this.#given.delete(checkId);
  }
}

/** The check's URL with another host and port. */
export function exposedUrl(url: string, address: string, port: number): string {
  const asked = new URL(url);
  const host = address.includes(':') ? `[${address}]` : address;
  return `${asked.protocol}//${host === '' ? '127.0.0.1' : host}:${port}${asked.pathname}${asked.search}`;
}
