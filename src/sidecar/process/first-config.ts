import type { ControlServer } from '../../resource/bootstrap.ts';
import type { XdsClientState } from '../../xds/client/client.ts';
import type { ListenerFailure } from './messages.ts';

const WHAT_TO_DO = 'start weft control there, or give --control its address';
const REFUSAL = /\b(?:NOT_FOUND|PERMISSION_DENIED|INVALID_ARGUMENT): /;

/**
 * Whether a sidecar that starts has come to carry traffic: its first configuration is applied by every worker. Fails with
 * one line that says what stands in the way where that takes too long, or a listener cannot be bound.
 */
export class FirstConfig {
  readonly ready: Promise<void>;
  readonly #timer: NodeJS.Timeout | undefined;
  #settle: { resolve(): void; reject(error: Error): void };
  #isSettled = false;
  #reason = '';
  #server: ControlServer | undefined;

  /** 0 waits without end. */
  constructor(timeoutMs: number, servers: readonly ControlServer[]) {
    let settle: { resolve(): void; reject(error: Error): void } | undefined;
    this.ready = new Promise<void>((resolve, reject) => {
      settle = { resolve, reject };
    });
    // Whoever waits gets the error; until then it must not count as unhandled.
    this.ready.catch(() => {});
    this.#settle = settle ?? { resolve() {}, reject() {} };
    if (timeoutMs === 0) return;
    this.#timer = setTimeout(
      () => this.#fail(`no configuration came within ${timeoutMs} ms: ${this.#trouble(servers)}`),
      timeoutMs,
    );
  }

  /** A worker has applied an update; `isComplete` where that was all there is. */
  applied(isComplete: boolean, failures: readonly ListenerFailure[]): void {
    if (this.#isSettled) return;
    const [failure] = failures;
    if (failure !== undefined) this.#fail(failure.message);
    else if (isComplete) this.#succeed();
  }

  clientState(state: XdsClientState, lastError: string): void {
    this.#server = state.kind === 'streaming' ? state.server : undefined;
    if (state.kind === 'waiting' || state.kind === 'connecting') this.#reason = lastError;
  }

  #trouble(servers: readonly ControlServer[]): string {
    if (servers.length === 0) return 'the bootstrap has no static listener or cluster that can run';
    if (this.#server !== undefined)
      return `control server ${addressOf(this.#server)} answers, but nothing it sent can run; see its console and this log`;
    if (this.#reason === '') return `no answer from control server ${servers.map(addressOf).join(', ')}; ${WHAT_TO_DO}`;
    // A server that refuses this proxy says itself what to do; one that is not there cannot.
    return REFUSAL.test(this.#reason)
      ? `control server ${this.#reason}`
      : `control server ${this.#reason}; ${WHAT_TO_DO}`;
  }

  #succeed(): void {
    this.#isSettled = true;
    clearTimeout(this.#timer);
    this.#settle.resolve();
  }

  #fail(message: string): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    clearTimeout(this.#timer);
    this.#settle.reject(new Error(message));
  }
}

function addressOf({ host, port }: ControlServer): string {
  return `${host}:${port}`;
}
