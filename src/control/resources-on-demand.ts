import type { EncodedResource } from '../xds/server/server.ts';

/**
 * Resources that are made when a client asks for them by name: of names that nobody lists beforehand, such as those of all
 * services there may be. Whoever lists it finds nothing, so it is for clients that name what they want.
 */
export class ResourcesOnDemand extends Map<string, EncodedResource> {
  readonly #make: (name: string) => EncodedResource | undefined;

  /** `make` gives the same for the same name, for as long as this is anybody's snapshot. */
  constructor(make: (name: string) => EncodedResource | undefined) {
    super();
    this.#make = make;
  }

  override get(name: string): EncodedResource | undefined {
    return this.#make(name);
  }

  override has(name: string): boolean {
    return this.#make(name) !== undefined;
  }
}
