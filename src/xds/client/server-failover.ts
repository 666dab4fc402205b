import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import type { ControlServer } from '../../resource/bootstrap.ts';
import type { DiscoveryResponse } from '../discovery-codec.ts';
import type { XdsClientCounters, XdsClientState } from './client-state.ts';
import { type BackoffPolicy, ReconnectBackoff } from './reconnect-backoff.ts';
import { type AttemptContext, StreamAttempt } from './stream-attempt.ts';

/** What choosing a server needs. */
export interface FailoverOptions {
  /** In order of preference; at least one. */
  readonly servers: readonly ControlServer[];
  readonly attempt: AttemptContext;
  readonly clock: Clock;
  readonly random: Random;
  readonly backoff: BackoffPolicy;
  readonly returnIntervalMs: number;
  readonly counters: XdsClientCounters;
  readonly onState: (state: XdsClientState) => void;
  /** A response of the stream that counts; answers with one line per faulty resource. */
  readonly onResponse: (attempt: StreamAttempt, response: DiscoveryResponse, bytes: number) => readonly string[];
}

/**
 * Which server is asked: the first that answers, in order of preference. When a stream ends, the list is tried from its head after a
 * jittered pause; while a less preferred server is in use, the better ones are looked at now and then, and the first of them to answer
 * takes over. There is at most one stream that counts and one look beside it.
 */
export class ServerFailover {
  readonly #options: FailoverOptions;
  readonly #backoff: ReconnectBackoff;
  #state: XdsClientState = { kind: 'idle' };
  #lastError = '';
  /** The stream that counts. */
  #active: StreamAttempt | undefined;
  /** A look at a preferred server, beside the active stream. */
  #candidate: StreamAttempt | undefined;
  #reconnectTimer: NodeJS.Timeout | undefined;
  #returnTimer: NodeJS.Timeout | undefined;

  constructor(options: FailoverOptions) {
    if (options.servers.length === 0) {
      throw new Error('xDS client: no control server is given; name at least one host:port');
    }
    this.#options = options;
    this.#backoff = new ReconnectBackoff(options.backoff, options.random);
  }

  get state(): XdsClientState {
    return this.#state;
  }

  /** Why the last stream ended; empty before the first end. */
  get lastError(): string {
    return this.#lastError;
  }

  /** Whether a stream is open or being opened. */
  get isTrying(): boolean {
    return this.#active !== undefined;
  }

  start(): void {
    if (this.#state.kind === 'idle') this.#connect(0);
  }

  /** For good. */
  stop(): void {
    this.#dropTimersAndStreams();
    this.#become({ kind: 'stopped' });
  }

  onWantedChanged(typeUrl: string): void {
    this.#active?.onWantedChanged(typeUrl);
    this.#candidate?.onWantedChanged(typeUrl);
  }

  askAgain(typeUrl: string, name: string): void {
    this.#active?.askAgain(typeUrl, name);
  }

  #become(next: XdsClientState): void {
    this.#state = next;
    this.#options.onState(next);
  }

  #attempt(index: number): StreamAttempt | undefined {
    const server = this.#options.servers[index];
    if (server === undefined) return undefined;
    this.#options.counters.streamsOpened += 1;
    return new StreamAttempt(index, server, this.#options.attempt, {
      onResponse: (attempt, response, bytes) => {
        if (!attempt.hasResponded) this.#onFirstResponse(attempt);
        return this.#options.onResponse(attempt, response, bytes);
      },
      onEnd: (attempt, reason) => this.#onEnd(attempt, reason),
    });
  }

  /** Tries servers from this position on; when the list is through, waits and begins anew. */
  #connect(index: number): void {
    this.#active = this.#attempt(index);
    if (this.#active === undefined) {
      this.#wait();
      return;
    }
    if (index > 0) this.#options.counters.failovers += 1;
    this.#become({ kind: 'connecting', server: this.#active.server, sinceMs: this.#options.clock.nowMs() });
  }

  #wait(): void {
    const delayMs = this.#backoff.nextDelayMs();
    this.#reconnectTimer = setTimeout(() => this.#connect(0), delayMs);
    this.#become({ kind: 'waiting', untilMs: this.#options.clock.nowMs() + delayMs, lastError: this.#lastError });
  }

  #onEnd(attempt: StreamAttempt, reason: string): void {
    if (!attempt.hasResponded) this.#options.counters.streamsFailed += 1;
    if (attempt === this.#candidate) {
      this.#candidate = undefined;
      this.#lookForPreferred(attempt.index + 1);
      return;
    }
    if (attempt !== this.#active) return;
    this.#lastError = reason;
    this.#dropTimersAndStreams();
    if (attempt.hasResponded) this.#wait();
    else this.#connect(attempt.index + 1);
  }

  /** The server is alive. If it is a preferred one, what it says counts from now on. */
  #onFirstResponse(attempt: StreamAttempt): void {
    attempt.hasResponded = true;
    this.#backoff.reset();
    if (attempt === this.#candidate) {
      this.#active?.close();
      this.#active = attempt;
      this.#candidate = undefined;
      this.#options.counters.returns += 1;
    }
    this.#become({ kind: 'streaming', server: attempt.server, sinceMs: this.#options.clock.nowMs() });
    this.#scheduleReturn();
  }

  #scheduleReturn(): void {
    clearTimeout(this.#returnTimer);
    if (this.#active === undefined || this.#active.index === 0) return;
    // Spread, so that a server that comes back is not met by everyone at once.
    const delayMs = this.#options.returnIntervalMs * (0.5 + this.#options.random.next());
    this.#returnTimer = setTimeout(() => this.#lookForPreferred(0), delayMs);
    this.#returnTimer.unref();
  }

  #lookForPreferred(index: number): void {
    if (this.#active === undefined || index >= this.#active.index) {
      this.#scheduleReturn();
      return;
    }
    this.#candidate = this.#attempt(index);
  }

  #dropTimersAndStreams(): void {
    clearTimeout(this.#reconnectTimer);
    clearTimeout(this.#returnTimer);
    this.#active?.close();
    this.#candidate?.close();
    this.#active = undefined;
    this.#candidate = undefined;
  }
}
