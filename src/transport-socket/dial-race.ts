import net from 'node:net';
import type { Address } from '../resource/address.ts';
import { Deadline, type DeadlineOwner } from './deadlines.ts';
import type { DialAttempt } from './dialling.ts';
import type { EventTurn } from './event-turn.ts';
import type { ReleasedTransport, StreamSocket, StreamSocketUser } from './stream-socket.ts';

/** RFC 8305 §5, "Connection Attempt Delay"; Envoy's value. */
const ATTEMPT_DELAY_MS = 300;

export interface DialRaceOptions {
  readonly turn: EventTurn;
  /** In order of preference; at least one. */
  readonly addresses: readonly Address[];
  readonly dial: (address: Address, user: StreamSocketUser) => DialAttempt;
  /** Of the first that was reached: its socket stands from here on where the race stood. */
  readonly onWon: (attempt: DialAttempt) => void;
  readonly user: StreamSocketUser;
}

/**
 * "Happy eyeballs": a host of several addresses is dialled at the first, then at the next whenever one has failed or nothing
 * has come of it for a while, and the first that is reached is taken. Until then this stands in for its socket. Whoever
 * dials limits the time for all of it.
 */
export class DialRace implements StreamSocket, DeadlineOwner {
  readonly takesAtOnce = false;
  readonly unsentBytes = 0;
  readonly remoteAddress = '';
  readonly remotePort = 0;
  readonly localAddress = '';
  readonly localPort = 0;
  readonly #options: DialRaceOptions;
  readonly #untried: Address[];
  readonly #contenders = new Set<Contender>();
  readonly #deadline: Deadline = new Deadline(this);
  #user: StreamSocketUser;
  #isOver = false;

  constructor(options: DialRaceOptions) {
    this.#options = options;
    this.#untried = [...options.addresses];
    this.#user = options.user;
    this.#dialNext();
  }

  set user(user: StreamSocketUser) {
    this.#user = user;
  }

  onDeadline(): void {
    if (!this.#isOver) this.#dialNext();
  }

  reached(winner: Contender, attempt: DialAttempt): void {
    if (this.#isOver) return;
    this.#contenders.delete(winner);
    this.#end();
    this.#options.onWon(attempt);
  }

  failed(contender: Contender, code: string): void {
    this.#contenders.delete(contender);
    if (this.#isOver) return;
    if (this.#untried.length > 0) this.#dialNext();
    else if (this.#contenders.size === 0) {
      this.#end();
      this.#user.onSocketFailed(code);
      this.#user.onSocketClosed();
    }
  }

  destroy(): void {
    if (this.#isOver) return;
    this.#end();
    // Its user is told as by any socket: later.
    setImmediate(() => this.#user.onSocketClosed());
  }

  reset(): void {
    this.destroy();
  }

  writeText(): void {
    // Whoever writes before there is a connection keeps it until then.
  }

  writeBytes(): void {
    // As above.
  }

  pause(): void {
    // Nothing is read yet; who takes the socket over pauses it.
  }

  resume(): void {
    // A socket that was dialled reads by itself.
  }

  finish(): void {
    // Behind what is written, and nothing is.
  }

  release(): ReleasedTransport {
    throw new Error('a connection that is not there cannot be handed over');
  }

  #dialNext(): void {
    const { turn, dial } = this.#options;
    const next = this.#untried.shift();
    if (next === undefined) return;
    this.#contenders.add(new Contender(this, (user) => dial(next, user)));
    turn.enter();
    const againAtMs = this.#untried.length > 0 ? turn.nowMs + ATTEMPT_DELAY_MS : Number.POSITIVE_INFINITY;
    turn.deadlines.schedule(this.#deadline, againAtMs);
    turn.leave();
  }

  #end(): void {
    this.#isOver = true;
    this.#options.turn.deadlines.remove(this.#deadline);
    this.#untried.length = 0;
    for (const { socket } of this.#contenders) socket.destroy();
    this.#contenders.clear();
  }
}

/** The user of a socket that is being dialled. */
class Contender implements StreamSocketUser {
  readonly #race: DialRace;
  readonly #attempt: DialAttempt;
  #code = '';

  constructor(race: DialRace, dial: (user: StreamSocketUser) => DialAttempt) {
    this.#race = race;
    this.#attempt = dial(this);
    // Its user is told of a plain connection only.
    this.#attempt.tls?.socket.once('connect', () => this.onSocketConnected());
  }

  get socket(): StreamSocket {
    return this.#attempt.socket;
  }

  onSocketConnected(): void {
    this.#race.reached(this, this.#attempt);
  }

  onSocketFailed(code: string): void {
    if (this.#code === '') this.#code = code;
  }

  onSocketClosed(): void {
    this.#race.failed(this, this.#code);
  }

  onSocketBytes(): void {
    // Only the winner is read from, by its next user.
  }

  onSocketEnd(): void {
    // As above.
  }

  onSocketDrained(): void {
    // Nothing was written.
  }
}

/** RFC 8305 §4: families take turns, beginning with that of the first address; within a family the order stays. */
export function dialOrder(addresses: readonly Address[]): readonly Address[] {
  const [first] = addresses;
  if (first === undefined) return addresses;
  const leading = addresses.filter((address) => familyOf(address) === familyOf(first));
  const others = addresses.filter((address) => familyOf(address) !== familyOf(first));
  return leading
    .flatMap((address, index) => [address, ...others.slice(index, index + 1)])
    .concat(others.slice(leading.length));
}

function familyOf(address: Address): number {
  return address.kind === 'ip' ? net.isIP(address.host) : 0;
}
