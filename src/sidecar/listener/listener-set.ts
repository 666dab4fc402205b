import { addressText } from '../../resource/address.ts';
import type { Listener } from '../../resource/listener.ts';
import type { OriginalDestination } from '../../transport-socket/transport-socket.ts';
import type { ManagerContext } from '../connection-manager/connection-manager.ts';
import { BoundListener, type BoundListenerOptions, type ListenerState } from './bound-listener.ts';
import { FailureLog } from './failure-log.ts';
import { ListenersByAddress } from './listeners-by-address.ts';
import type { RuntimeConfig, RuntimeListener } from './runtime-listener.ts';

/** One listener's trouble with an update. The others are applied. */
export interface ListenerFault {
  readonly listenerName: string;
  readonly message: string;
}

/** What admin pages show of a listener. */
export interface ListenerView {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly state: ListenerState;
  readonly failure: string;
  readonly connections: number;
}

export interface ListenerSetOptions {
  readonly context: ManagerContext;
  readonly drainTimeoutMs: number;
  /** Per listener and worker. */
  readonly maxConnectionsPerListener?: number;
  /** Told when a listener cannot be bound, once until it is. */
  readonly onBindFailure?: (listenerName: string, message: string) => void;
  /** One line for each connection that was turned away, within reason. */
  readonly onConnectionRefused?: (line: string) => void;
}

const DEFAULT_MAX_CONNECTIONS = 20_000;

/** All listeners of one worker, kept in step with the newest runtime config. */
export class ListenerSet {
  readonly #options: BoundListenerOptions;
  /** By address: a listener that only changes its configuration keeps its socket. */
  readonly #active = new Map<string, BoundListener>();
  readonly #draining = new Set<BoundListener>();
  /** Of the active ones; undefined while they may have changed since it was last asked. */
  #byAddress: ListenersByAddress<BoundListener> | undefined = undefined;
  #whenEmpty: (() => void)[] = [];
  #isHealthFailing = false;

  constructor(options: ListenerSetOptions) {
    const ignore = (): void => undefined;
    this.#options = {
      context: options.context,
      drainTimeoutMs: options.drainTimeoutMs,
      maxConnections: options.maxConnectionsPerListener ?? DEFAULT_MAX_CONNECTIONS,
      onBindFailure: options.onBindFailure ?? ignore,
      failureLog: new FailureLog(options.onConnectionRefused ?? ignore),
      onClosed: (listener) => this.#onClosed(listener),
      listenerAt: (destination) => this.#listenerAt(destination),
    };
  }

  /**
   * Binds what is new, swaps the configuration of what stays, drains what is gone. Resolves when every new listener is
   * bound or has failed once, with all faults; whatever could be applied is.
   */
  async apply(config: RuntimeConfig): Promise<readonly ListenerFault[]> {
    const faults: ListenerFault[] = [];
    const binding: BoundListener[] = [];
    const wanted = new Map<string, RuntimeListener>();
    for (const runtime of [...config.listeners.values()].flatMap(oneForEachAddress)) {
      const key = addressKey(runtime);
      const taken = wanted.get(key);
      if (taken === undefined) wanted.set(key, runtime);
      else faults.push(addressTaken(runtime, taken));
    }
    for (const [key, bound] of this.#active) if (!wanted.has(key)) this.#retire(key, bound);
    for (const [key, runtime] of wanted) {
      try {
        const bound = this.#active.get(key);
        const isKept = bound !== undefined && bindsAlike(bound.listener, runtime.listener);
        if (isKept) bound.update(runtime);
        else binding.push(this.#add(key, runtime));
      } catch (error) {
        faults.push({ listenerName: runtime.listener.name, message: messageOf(error) });
      }
    }
    await Promise.all(binding.map((bound) => bound.bind()));
    this.#byAddress = undefined;
    for (const { name, failure } of binding) if (failure !== '') faults.push({ listenerName: name, message: failure });
    return faults;
  }

  get(name: string): BoundListener | undefined {
    for (const bound of this.#active.values()) if (bound.name === name) return bound;
    return undefined;
  }

  views(): readonly ListenerView[] {
    return [...this.#active.values(), ...this.#draining].map((bound) => ({
      name: bound.name,
      address: addressText(bound.listener.address),
      port: bound.port,
      state: bound.state,
      failure: bound.failure,
      connections: bound.connectionCount,
    }));
  }

  /** Drains listeners of one direction, or all; resolves when the last of them is closed (or its deadline has passed). */
  drain(direction: 'inbound' | 'all'): Promise<void> {
    const chosen = [...this.#active].filter(
      ([, bound]) => direction === 'all' || bound.listener.trafficDirection === 'inbound',
    );
    for (const [key, bound] of chosen) this.#retire(key, bound);
    if (this.#draining.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenEmpty.push(resolve));
  }

  /** While it fails, connections of listeners without `drain_type: MODIFY_ONLY` end after their next answer. */
  setHealthFailing(isFailing: boolean): void {
    this.#isHealthFailing = isFailing;
    for (const bound of this.#active.values()) bound.setHealthFailing(isFailing);
  }

  /** Ends every listener and connection now. */
  destroy(): void {
    for (const bound of [...this.#active.values(), ...this.#draining]) bound.destroy();
    this.#active.clear();
  }

  #listenerAt(destination: OriginalDestination): BoundListener | undefined {
    this.#byAddress ??= new ListenersByAddress(this.#active.values());
    return this.#byAddress.get(destination);
  }

  #add(key: string, runtime: RuntimeListener): BoundListener {
    const bound = new BoundListener(this.#options, runtime);
    bound.setHealthFailing(this.#isHealthFailing);
    const before = this.#active.get(key);
    if (before !== undefined) this.#retire(key, before);
    this.#active.set(key, bound);
    this.#byAddress = undefined;
    return bound;
  }

  #retire(key: string, bound: BoundListener): void {
    this.#active.delete(key);
    this.#byAddress = undefined;
    this.#draining.add(bound);
    bound.drain();
  }

  #onClosed(bound: BoundListener): void {
    this.#draining.delete(bound);
    if (this.#draining.size === 0) for (const resolve of this.#whenEmpty.splice(0)) resolve();
  }
}

/** Each address is bound by itself, and they share everything else. */
function oneForEachAddress(runtime: RuntimeListener): readonly RuntimeListener[] {
  const { listener } = runtime;
  if (listener.additionalAddresses === undefined) return [runtime];
  const others = listener.additionalAddresses.map((address) => ({ ...runtime, listener: { ...listener, address } }));
  return [runtime, ...others];
}

/** Of two listeners at one address: whether the socket of one serves for the other. */
function bindsAlike(one: Listener, other: Listener): boolean {
  return one.bindToPort === other.bindToPort && takesIpv4(one) === takesIpv4(other);
}

function takesIpv4({ address }: Listener): boolean {
  return address.kind === 'ip' && address.ipv4Compat === true;
}

/** Port 0 is a new port each time, so only the name tells two such listeners apart. */
function addressKey({ listener }: RuntimeListener): string {
  const { address } = listener;
  const text = addressText(address);
  return address.kind === 'ip' && address.port === 0 ? `${text} ${listener.name}` : text;
}

function addressTaken(runtime: RuntimeListener, taken: RuntimeListener): ListenerFault {
  const { name, address } = runtime.listener;
  const message = `listener ${name}: ${addressText(address)} is already taken by listener ${taken.listener.name}; give one of them another address`;
  return { listenerName: name, message };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
