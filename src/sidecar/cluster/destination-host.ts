import { Host } from './host.ts';

/**
 * A host that is there because somebody asked for its address. Only this worker knows it, so that it counts by itself who
 * holds it; what all workers count goes to one place for all such hosts of its cluster.
 */
export class DestinationHost extends Host {
  /** Picked since somebody looked last whether it is still needed. */
  isFresh = true;
  #holders = 0;

  /** Neither a request nor a connection is there. */
  get isIdle(): boolean {
    return this.#holders === 0;
  }

  override requestStarted(): number {
    this.#holders++;
    return super.requestStarted();
  }

  override requestEnded(): void {
    this.#holders--;
    super.requestEnded();
  }

  override connectionOpened(): void {
    this.#holders++;
    super.connectionOpened();
  }

  override connectionClosed(): void {
    this.#holders--;
    super.connectionClosed();
  }
}
